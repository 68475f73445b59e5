"""Compare a new table definition with the stored one, and say what of an Iceberg table has to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextbasket.catalog import iceberg
from nextbasket.catalog.base import ICEBERG, STATISTICS, Column, Drift, TableDefinition
from nextbasket.catalog.types import arrow_schema, to_arrow, to_text
from nextbasket.errors import InputError


@dataclass(frozen=True, slots=True)
class Evolution:
    """What changes in an Iceberg table: ``columns`` added or widened, ``comments`` by column, new ``parameters``."""

    columns: tuple[Column, ...]
    comments: Mapping[str, str]
    parameters: Mapping[str, str]


def check_definition(definition: TableDefinition) -> None:
    """Raise InputError for a definition that no table can have: its name, its columns or a type is at fault."""
    for part in (definition.database, definition.name):
        if not part or part != part.lower() or any(sign in part for sign in "./\\\0"):
            raise InputError(
                f"{definition.full_name!r} cannot name a table: database and table are lower case, without dots and "
                "slashes."
            )
    columns = [column.name for column in (*definition.columns, *definition.partition_keys)]
    if len(set(columns)) != len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise InputError(f"{definition.full_name} has columns twice: {', '.join(twice)}; rename one of each.")
    if not columns or not all(columns):
        raise InputError(f"{definition.full_name} needs columns, each with a name.")
    arrow_schema((*definition.columns, *definition.partition_keys))


def drift_of(stored: TableDefinition | None, new: TableDefinition) -> Drift:
    """Return how a definition differs from the stored one, None when there is none yet.

    Raises InputError when one is an Iceberg table and the other is not.
    """
    if stored is not None and (stored.format == ICEBERG) != (new.format == ICEBERG):
        raise InputError(f"{new.full_name} is a {stored.format} table and cannot become {new.format}; drop it first.")
    if stored is None:
        return Drift(new.full_name, created=True, added=(*new.columns, *new.partition_keys))
    old_types = {column.name: _canonical(column.type, new.format) for column in stored.columns}
    new_types = {column.name: _canonical(column.type, new.format) for column in new.columns}
    altered = []
    if _keys(stored) != _keys(new):
        altered.append("partition_keys")
    if new.format != ICEBERG:
        altered += [part for part in ("location", "format") if getattr(stored, part) != getattr(new, part)]
        if _form(stored) != _form(new):
            altered.append("parameters")
        if list(old_types) != list(new_types) and set(old_types) == set(new_types):
            altered.append("order")
    else:
        if any(stored.parameters.get(key) != value for key, value in new.parameters.items()):
            altered.append("parameters")
    comments = {column.name: column.comment for column in stored.columns}
    if any(column.comment and comments.get(column.name, column.comment) != column.comment for column in new.columns):
        altered.append("comments")
    return Drift(
        new.full_name,
        added=tuple(column for column in new.columns if column.name not in old_types),
        removed=tuple(column for column in stored.columns if column.name not in new_types),
        changed=tuple(
            (name, old_types[name], new_type)
            for name, new_type in new_types.items()
            if name in old_types and old_types[name] != new_type
        ),
        altered=tuple(altered),
    )


def _form(definition: TableDefinition) -> dict[str, str]:
    return {name: value for name, value in definition.parameters.items() if name not in STATISTICS}


def evolution_of(stored: TableDefinition, definition: TableDefinition, drift: Drift) -> Evolution:
    """Return what a new definition changes in an Iceberg table.

    Raises InputError for a change that would need the data rewritten.
    """
    if "partition_keys" in drift.altered:
        raise InputError(
            f"{definition.full_name} is partitioned by {_names(stored.partition_keys)} and cannot change to "
            f"{_names(definition.partition_keys)}; drop it and load it again."
        )
    for column, old, new in drift.changed:
        if not iceberg.is_widening(to_arrow(old), to_arrow(new)):
            raise InputError(
                f"column {column} of {definition.full_name} cannot change from {old} to {new} without rewriting "
                "its data; drop the table and load it again."
            )
    changed = {name for name, _, _ in drift.changed}
    comments = {column.name: column.comment for column in stored.columns}
    return Evolution(
        tuple(column for column in definition.columns if column in drift.added or column.name in changed),
        {
            column.name: column.comment
            for column in definition.columns
            if column.comment and comments.get(column.name, column.comment) != column.comment
        },
        {key: value for key, value in definition.parameters.items() if stored.parameters.get(key) != value},
    )


def _canonical(type_text: str, format: str) -> str:
    if format != ICEBERG:
        return "".join(type_text.lower().split())
    return to_text(iceberg.stored_type(to_arrow(type_text)))


def _keys(definition: TableDefinition) -> list[tuple[str, str]]:
    return [(column.name, _canonical(column.type, definition.format)) for column in definition.partition_keys]


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns) or "nothing"
