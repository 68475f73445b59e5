"""DataBrew recipes: parse, compile to Ibis, run."""

from nextbasket.recipes.compile import Compiled, compile
from nextbasket.recipes.parse import Recipe, Step, parse
from nextbasket.recipes.run import RecipeJob, RecipeRun

__all__ = ["Compiled", "Recipe", "RecipeJob", "RecipeRun", "Step", "compile", "parse"]
