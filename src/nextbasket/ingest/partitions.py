"""Which columns the folders of a table say: Hive's ``dt=2026-11-22/``, and plain folders as Glue names them."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from nextbasket.catalog.base import NULL_PARTITION, Column
from nextbasket.catalog.in_place import partition_values

_INTEGER = re.compile(r"^(0|-?[1-9]\d{0,17})$", re.ASCII)
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)


def partition_columns(folders: Iterable[Sequence[str]]) -> tuple[Column, ...]:
    """Return the partition keys of files in these folders (the parts between a table's location and a file).

    A folder ``key=value`` gives the key, a plain one at level n ``partition_n``. Types are bigint where all values are
    plain integers (``01`` is not: its zero would be lost), date where all are ISO dates, else string.

    >>> [(column.name, column.type) for column in partition_columns([["2026", "dt=2026-11-22"]])]
    [('partition_0', 'bigint'), ('dt', 'date')]
    """
    distinct = {tuple(parts) for parts in folders}
    levels: dict[str, int] = {}
    for parts in sorted(distinct):
        for level, part in enumerate(parts):
            name, equals, _ = part.partition("=")
            key = name.lower() if equals else f"partition_{level}"
            levels[key] = min(level, levels.get(key, level))
    keys = sorted(levels, key=lambda key: (levels[key], key))
    values: dict[str, set[str]] = {key: set() for key in keys}
    for parts in distinct:
        for key, value in partition_values(keys, parts).items():
            values[key].add(value)
    return tuple(Column(key, _type(values[key] - {NULL_PARTITION})) for key in keys)


def _type(values: set[str]) -> str:
    if values and all(_INTEGER.match(value) for value in values):
        return "bigint"
    return "date" if values and all(map(_is_date, values)) else "string"


def _is_date(value: str) -> bool:
    try:
        return bool(_DATE.match(value)) and date.fromisoformat(value) is not None
    except ValueError:
        return False
