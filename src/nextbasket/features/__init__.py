"""Feature definitions and the feature job."""
