"""Table names: ``database.table``, in lower case."""

import difflib
from collections.abc import Iterable

from nextbasket.errors import InputError, NotFoundError


def split_name(name: str) -> tuple[str, str]:
    """Return database and table of a name, in lower case; raises InputError for anything else."""
    parts = name.lower().split(".")
    if len(parts) != 2 or not all(parts):
        raise InputError(f"{name!r} is not a table name; write database.table, for example shop.orders.")
    return parts[0], parts[1]


def no_such_table(name: str, known: Iterable[str]) -> NotFoundError:
    """Return the error for a table that is not there, with the nearest known name."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known tables: {', '.join(names) or 'none'}."
    return NotFoundError(f"there is no table {name}; {hint}")
