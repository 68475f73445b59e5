"""DataBrew recipes: parse, compile to Ibis, run."""
