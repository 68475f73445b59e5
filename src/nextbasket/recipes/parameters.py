"""An action's parameters: their kinds, and how a value written in a recipe becomes a typed one.

Recipes carry every value as text, lists and maps as JSON inside text; people also write plain JSON. Both are read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a parameter holds; the console draws its field by this."""

    COLUMN = "existing column"
    COLUMNS = "list of existing columns"
    NEW_COLUMN = "new column"
    TEXT = "text"
    INTEGER = "whole number"
    NUMBER = "number"
    BOOLEAN = "true or false"
    CHOICE = "one of a list"
    TEXTS = "list of texts"
    MAP = "map of text to value"
    OBJECTS = "list of objects"
    DATASET = "secondary data set"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an action: name, kind, what it means.

    ``allowed`` lists the values of a CHOICE; ``also_named`` holds second spellings; ``default`` is used where an
    optional parameter is absent.
    """

    name: str
    kind: Kind
    meaning: str = ""
    required: bool = True
    default: Any = None
    allowed: tuple[str, ...] = ()
    also_named: tuple[str, ...] = ()


class ValueFault(ValueError):  # noqa: N818 -- a fault is what a recipe author reads; the recipe's error gathers them
    """A value does not fit its parameter; the text says what was found and what is allowed."""


def typed(parameter: Parameter, raw: Any) -> Any:
    """Return the raw value as the parameter's type; raises ValueFault."""
    match parameter.kind:
        case Kind.COLUMN | Kind.NEW_COLUMN | Kind.DATASET:
            return _name(raw)
        case Kind.COLUMNS | Kind.TEXTS:
            return tuple(_name(item) for item in _list(raw))
        case Kind.TEXT:
            return _text(raw)
        case Kind.INTEGER:
            return _integer(raw)
        case Kind.NUMBER:
            return _number(raw)
        case Kind.BOOLEAN:
            return _boolean(raw)
        case Kind.CHOICE:
            return _choice(raw, parameter.allowed)
        case Kind.MAP:
            return _map(raw)
        case Kind.OBJECTS:
            return _objects(raw)


def nearest(name: str, known: Sequence[str], *, likeness: float = 0.6) -> str | None:
    """Return the known name most like ``name`` whatever its case, or None when none is ``likeness`` (0 to 1) close."""
    by_folded = {item.casefold(): item for item in known}
    found = get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=likeness)
    return by_folded[found[0]] if found else None


def sentence(text: str) -> str:
    """Return a text on one line that ends like a sentence."""
    joined = " ".join(text.split())
    return joined if joined.endswith((".", "?")) else f"{joined}."


def _shown(raw: Any) -> str:
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, default=str)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _decoded(raw: Any, what: str) -> Any:
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        raise ValueFault(f"found {_shown(raw)}, allowed is {what} in JSON") from None


def _name(raw: Any) -> str:
    if isinstance(raw, str) and raw != "":
        return raw
    raise ValueFault(f"found {_shown(raw)}, allowed is a name that is not empty")


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return json.dumps(raw)
    raise ValueFault(f"found {_shown(raw)}, allowed is text")


def _list(raw: Any) -> Sequence[Any]:
    value = _decoded(raw, "a list")
    if isinstance(value, list):
        return value
    raise ValueFault(f"found {_shown(raw)}, allowed is a list")


def _map(raw: Any) -> dict[str, Any]:
    value = _decoded(raw, "a map")
    if isinstance(value, dict):
        return value
    raise ValueFault(f"found {_shown(raw)}, allowed is a map")


def _objects(raw: Any) -> tuple[dict[str, Any], ...]:
    items = _list(raw)
    if all(isinstance(item, dict) for item in items):
        return tuple(items)
    raise ValueFault(f"found {_shown(raw)}, allowed is a list of objects")


def _integer(raw: Any) -> int:
    number = _number(raw)
    if number == int(number):
        return int(number)
    raise ValueFault(f"found {_shown(raw)}, allowed is a whole number")


def _number(raw: Any) -> int | float:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        for convert in (int, float):
            try:
                value = convert(raw.strip())
            except ValueError:
                continue
            if value == value and abs(value) != float("inf"):
                return value
    raise ValueFault(f"found {_shown(raw)}, allowed is a number")


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in ("true", "false"):
        return raw.strip().lower() == "true"
    raise ValueFault(f"found {_shown(raw)}, allowed is true or false")


def _choice(raw: Any, allowed: tuple[str, ...]) -> str:
    for item in allowed:
        if isinstance(raw, str) and raw.strip().casefold() == item.casefold():
            return item
    near = nearest(raw, allowed) if isinstance(raw, str) else None
    hint = f"; did you mean {near}?" if near else ""
    raise ValueFault(f"found {_shown(raw)}, allowed is one of {', '.join(allowed)}{hint}")
