"""Training set, train, evaluate, choose basket, registry, score."""
