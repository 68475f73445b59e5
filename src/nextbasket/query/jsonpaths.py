"""JSON paths as every engine reads them: ``$``, ``.name``, ``['name']`` and ``[0]``."""

import re

_PART = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\["([^"'\\]+)"\]|\['([^"'\\]+)'\]""")

HINT = "a JSON path is made of $, .name, ['name'] and [0], and written as a text"


def parts(path: str) -> list[str | int] | None:
    """Return a path's names and places in their order; None for one that is not read alike by every engine."""
    if not path.startswith("$"):
        return None
    found: list[str | int] = []
    position = 1
    while position < len(path):
        part = _PART.match(path, position)
        if part is None:
            return None
        plain, place, double, single = part.groups()
        found.append(int(place) if place is not None else plain or double or single)
        position = part.end()
    return found


def to_duckdb(path: str) -> str:
    """Return a path for DuckDB's JSON functions."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f'."{part}"' for part in parts(path) or [])


def to_spark(path: str) -> str:
    """Return a path for Spark's get_json_object."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in parts(path) or [])
