"""Zones and files: where raw files land, where tables' data files live."""
