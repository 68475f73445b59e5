"""What data people edit: recipes, rulesets, named queries, mappings; a shop home may override any by name."""
