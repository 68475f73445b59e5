"""docs/recipes.md names every built action with its parameters, every decision and every condition."""

from pathlib import Path

from nextbasket.recipes.actions import ACTIONS
from nextbasket.recipes.conditions import CONDITIONS

TEXT = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_every_action_stands_in_the_docs() -> None:
    for name, action in ACTIONS.items():
        names = ", ".join(item.name if item.required else f"[{item.name}]" for item in action.form.parameters)
        assert f"| {name} | {action.form.summary} | {names} |" in TEXT
        for decision in action.form.decisions:
            assert f"- {decision}\n" in TEXT


def test_every_condition_stands_in_the_docs() -> None:
    assert all(name in TEXT for name in CONDITIONS)
