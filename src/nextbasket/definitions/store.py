"""Find definition texts by kind and name: the shop home's own first, then the ones shipped with the package."""

from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from nextbasket.errors import NotFoundError


class DefinitionKind(StrEnum):
    """A kind of definition; its value is the folder name."""

    RECIPES = "recipes"
    RULESETS = "rulesets"
    QUERIES = "queries"
    MAPPINGS = "mappings"


_SUFFIX = {
    DefinitionKind.RECIPES: ".json",
    DefinitionKind.RULESETS: ".json",
    DefinitionKind.QUERIES: ".sql",
    DefinitionKind.MAPPINGS: ".sql",
}


class Definitions:
    """The definitions one home sees. ``overrides`` is the home's ``definitions`` folder; it need not exist."""

    def __init__(self, overrides: Path | None = None) -> None:
        self._overrides = overrides

    def names(self, kind: DefinitionKind) -> list[str]:
        """Return the names of all definitions of a kind, without suffix, in order."""
        return sorted({name for name, _ in self._found(kind)})

    def text(self, kind: DefinitionKind, name: str) -> str:
        """Return a definition's text; raises NotFoundError that lists the known names."""
        for found, text in self._found(kind):
            if found == name:
                return text
        known = ", ".join(self.names(kind)) or "none"
        raise NotFoundError(f"there is no definition {kind.value}/{name}{_SUFFIX[kind]}; known: {known}.")

    def _found(self, kind: DefinitionKind) -> Iterator[tuple[str, str]]:
        suffix = _SUFFIX[kind]
        own = self._overrides / kind.value if self._overrides is not None else None
        if own is not None and own.is_dir():
            for path in sorted(own.glob(f"*{suffix}")):
                yield path.stem, path.read_text(encoding="utf-8")
        shipped = files("nextbasket") / "definitions" / kind.value
        if shipped.is_dir():
            for entry in sorted(shipped.iterdir(), key=lambda item: item.name):
                if entry.name.endswith(suffix):
                    yield entry.name.removesuffix(suffix), entry.read_text(encoding="utf-8")
