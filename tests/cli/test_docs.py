"""Every command and every setting is documented."""

from pathlib import Path

import click
import typer.main
from pydantic import BaseModel

from nextbasket.app.settings import Settings
from nextbasket.cli.main import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(command: click.Command, prefix: str = "") -> list[str]:
    children = getattr(command, "commands", None)
    if children is None:
        return [prefix]
    return [name for key, child in children.items() for name in commands(child, f"{prefix} {key}".strip())]


def settings(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += settings(kind, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


def test_every_command_is_in_the_docs() -> None:
    text = (DOCS / "commands.md").read_text()
    found = commands(typer.main.get_command(app))
    assert len(found) > 20
    missing = [name for name in found if f"`nextbasket {name}" not in text and f"`{name}`" not in text]
    assert missing == []


def test_every_setting_is_in_the_docs() -> None:
    text = (DOCS / "settings.md").read_text()
    found = settings(Settings)
    assert "engine.memory_limit" in found
    assert [name for name in found if f"`{name}`" not in text] == []
