"""Which files of a partitioned table a statement cannot need: those in folders that its WHERE rules out.

A condition counts when it stands in the WHERE of the SELECT that reads the table, joined to the others by AND, and
names nothing but partition keys of this table. It is put to DuckDB over the folders' values, so that it means what it
means in the query itself. A table that is read twice keeps every file that one of the two needs. What cannot be judged
keeps its file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import NULL_PARTITION, Scan
from nextbasket.errors import NextbasketError
from nextbasket.query import dialect, duckdb_rules
from nextbasket.query.duckdb_types import duckdb_type, quoted
from nextbasket.query.file_forms import partition_keys

_BY_CHANCE = frozenset({"rand", "random", "uuid", "shuffle"})


def pruned(tree: exp.Expr, scans: Mapping[str, Scan]) -> dict[str, Scan]:
    """Return the scans of a resolved, annotated statement without the files that it cannot need."""
    return {key: _pruned(tree, key, scan) for key, scan in scans.items()}


def _pruned(tree: exp.Expr, key: str, scan: Scan) -> Scan:
    keys = partition_keys(scan)
    if not keys:
        return scan
    folders: dict[tuple[str, ...], int] = {}
    for values in scan.partitions.values():
        folders.setdefault(tuple(values.get(name, NULL_PARTITION) for name in keys), len(folders))
    needed: set[int] = set()
    for table in dialect.read_tables(tree):
        if f"{table.db}.{table.name}" not in (key, f"main.{key}"):
            continue
        conditions = _conditions(table, keys)
        found = _needed(table.alias_or_name, conditions, scan, keys, list(folders)) if conditions else None
        if found is None:
            return scan
        needed |= found
    files = [
        file
        for file in scan.files
        if folders[tuple(scan.partitions[file.uri].get(name, NULL_PARTITION) for name in keys)] in needed
    ]
    return replace(scan, files=tuple(files))


def _conditions(table: exp.Table, keys: Sequence[str]) -> list[exp.Expr]:
    """Return the conditions on a table's partition keys that each of its rows in the result fulfils."""
    select = table.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if select is None or where is None or not _kept_by_joins(table, select):
        return []
    joined = bool(select.args.get("joins") or select.args.get("laterals"))
    conditions = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    return [one for one in conditions if _on_keys(one, table.alias_or_name, keys, alone=not joined)]


def _kept_by_joins(table: exp.Table, select: exp.Select) -> bool:
    """Say whether each row of the SELECT stands for a row of the table, not for the lack of one."""
    from_ = select.args.get("from_")
    joins = select.args.get("joins") or []
    if from_ is not None and from_.this is table:
        later = joins
    else:
        at = next((at for at, join in enumerate(joins) if join.this is table), None)
        if at is None or joins[at].side:
            return False
        later = joins[at + 1 :]
    return all(join.side in ("", "LEFT") for join in later)


def _on_keys(condition: exp.Expr, alias: str, keys: Sequence[str], *, alone: bool) -> bool:
    columns = list(condition.find_all(exp.Column))
    if not columns or condition.find(exp.Query, exp.Placeholder, exp.Window, exp.Rand) is not None:
        return False
    if any(call.name.lower() in _BY_CHANCE for call in condition.find_all(exp.Anonymous)):
        return False
    return all(
        column.name.lower() in keys
        and (column.table.lower() == alias.lower() if column.table else alone)
        and not isinstance(column.this, exp.Star)
        for column in columns
    )


def _needed(
    alias: str, conditions: Sequence[exp.Expr], scan: Scan, keys: Sequence[str], folders: Sequence[tuple[str, ...]]
) -> set[int] | None:
    """Return the numbers of the folders whose values fulfil all conditions, None where that cannot be told."""
    raw: dict[str, Any] = {"n": pa.array(range(len(folders)), pa.int64())}
    for at, name in enumerate(keys):
        values = [None if folder[at] == NULL_PARTITION else folder[at] for folder in folders]
        raw[f"raw {name}"] = pa.array(values, pa.string())
    typed = ", ".join(
        f"TRY_CAST({quoted(f'raw {name}')} AS {duckdb_type(scan.schema.field(name).type)}) AS {quoted(name)}"
        for name in keys
    )
    # A value that is not of its key's type is no reason to leave a file out: reading it says what is wrong.
    unfit = " OR ".join(f"({quoted(f'raw {name}')} IS NOT NULL AND {quoted(name)} IS NULL)" for name in keys)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("folders", pa.table(raw))
        try:
            for macro in dict.fromkeys(macro for one in conditions for macro in duckdb_rules.macros(one)):
                connection.execute(macro)
            tests = [f"({duckdb_rules.to_duckdb(condition)})" for condition in conditions]
            rows = connection.execute(
                f"SELECT n FROM (SELECT *, {typed} FROM folders) AS {quoted(alias)} "  # noqa: S608 (quoted names)
                f"WHERE ({' AND '.join(tests)}) OR {unfit}"
            ).fetchall()
        except (duckdb.Error, NextbasketError):
            return None
    return {int(number) for (number,) in rows}
