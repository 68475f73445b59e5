"""The command line."""

from nextbasket.cli.main import main

__all__ = ["main"]
