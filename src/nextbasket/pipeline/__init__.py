"""The named steps and their order, declared once."""
