"""SQL in Athena's dialect and Ibis expressions, on exchangeable engines."""
