"""recipe: validate, explain and run DataBrew recipes; prepare runs the shop's own."""

from typing import Annotated, Any

import typer

from nextbasket.cli.session import session
from nextbasket.cli.text import aligned
from nextbasket.errors import NotBuiltError

recipe = typer.Typer(
    help="DataBrew recipes: validate, explain, run, list.", no_args_is_help=True, rich_markup_mode=None
)

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE.json", help="A recipe file, or a known recipe's name.")]
InputOption = Annotated[str, typer.Option("--input", help="database.table or a CSV or Parquet file.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(recipe, name="recipe")


@recipe.command("list")
def list_recipes(context: typer.Context) -> None:
    """List the recipes this home knows."""
    from nextbasket.definitions.store import DefinitionKind

    called = session(context)
    with called.shop() as shop:
        names = shop.definitions.names(DefinitionKind.RECIPES)
    called.answer(names, lambda: "\n".join(names))


@recipe.command()
def validate(context: typer.Context, recipe_file: RecipeArgument) -> None:
    """Check a recipe's form; all faults at once."""
    from nextbasket.app import recipes

    called = session(context)
    with called.shop() as shop:
        parsed = recipes.recipe_named(shop, recipe_file)
    steps = [step.operation for step in parsed.steps]
    called.answer({"recipe": parsed.name, "steps": steps}, f"{parsed.name}: {len(steps)} steps, no fault found")


@recipe.command()
def explain(context: typer.Context, recipe_file: RecipeArgument, source: InputOption) -> None:
    """Show the SQL a recipe becomes on each engine, and the columns after each step."""
    from nextbasket.app import recipes

    called = session(context)
    with called.shop() as shop:
        explained = recipes.explain(shop, recipes.recipe_named(shop, recipe_file), source)
    called.answer(explained, lambda: _explained_text(explained))


@recipe.command("run")
def run_recipe(
    context: typer.Context,
    recipe_file: RecipeArgument,
    source: InputOption,
    output: Annotated[str, typer.Option("--output", help="database.table or a .csv, .json or .parquet file.")],
) -> None:
    """Run a recipe on a table or file and write a table or file."""
    from nextbasket.app import recipes

    called = session(context)
    with called.shop() as shop:
        rows = recipes.run(shop, recipes.recipe_named(shop, recipe_file), source, output)
    called.answer({"output": output, "rows": rows}, f"{rows:,} rows written to {output}")


@recipe.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def publish(_context: typer.Context) -> None:
    """Not built yet: freeze a version of a recipe."""
    raise NotBuiltError("'nextbasket recipe publish'")


def _explained_text(explained: dict[str, Any]) -> str:
    parts = []
    for after in explained["steps"]:
        parts.append(f"after step {after['step']} ({after['action']}):")
        parts.append(aligned(("column", "type"), [(c["name"], c["type"]) for c in after["schema"]]) + "\n")
    for engine, sql in explained["sql"].items():
        parts.append(f"-- {engine}\n{sql}\n")
    return "\n".join(parts)
