"""DataBrew recipes: parse, compile to Ibis, run."""

from nextbasket.recipes.compile import Compiled, compile
from nextbasket.recipes.parse import Recipe, Step, parse

__all__ = ["Compiled", "Recipe", "Step", "compile", "parse"]
