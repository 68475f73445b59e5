"""The shop's words: tables, keys, checks; the sample-shop generator."""
