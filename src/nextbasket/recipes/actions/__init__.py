"""The recipe actions that are built, one module per family."""

from collections.abc import Mapping

from nextbasket.recipes.actions import column, create, math, other, quality, science, structure, window
from nextbasket.recipes.registry import Action

ACTIONS: Mapping[str, Action] = {
    name: action
    for module in (column, create, math, other, quality, science, structure, window)
    for name, action in module.FAMILY.actions.items()
}
"""Every built action by name."""

__all__ = ["ACTIONS"]
