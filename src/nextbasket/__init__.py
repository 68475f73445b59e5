"""From a grocery's order files to each shopper's next basket."""

__version__ = "0.1.0"
