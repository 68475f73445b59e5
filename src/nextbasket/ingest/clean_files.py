"""Whole files with nothing wrong in them: read once, straight into their table's data files, and checked there.

This is the way of a whole shop's files. What is written is used as it is, or not at all: at the first thing that is
not right the files go the careful way, line by line.
"""

from dataclasses import replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Scan
from nextbasket.errors import QueryError
from nextbasket.grocery.tables import LayoutTable
from nextbasket.ingest.checked import CheckedRows
from nextbasket.ingest.checks import shop_columns
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.records import Signs
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.staging import Staged

_FITTING = {
    "id": (Signs.DIGITS,),
    "integer": (Signs.DIGITS, Signs.ZEROS),
    "number": (Signs.DIGITS, Signs.ZEROS, Signs.POINTS),
    "text": tuple(Signs),
}


def looks_clean(staged: Staged) -> bool:
    """Say whether the files may be clean, by the signs their columns are made of."""
    kinds = {rule.name: rule.kind for rule in staged.table.columns}
    return (
        staged.cut is None
        and bool(staged.direct)
        and all(
            signs in _FITTING[kinds[name]]
            for direct in staged.direct
            for name, signs in direct.signs.items()
            if name in kinds
        )
    )


def write_clean(attempt: Attempt, table: TableLoad, staged: Staged, ids: dict[str, str]) -> tuple[Scan, str] | None:
    """Write rows into data files of the table; returns them with their folder, or None where the engine gives up."""
    scan = attempt.shop.define(table.name, shop_columns(table.layout, ids))
    wanted = ibis.Schema.from_pyarrow(pa.schema([field.remove_metadata() for field in scan.schema]))
    union: ir.Table | None = None
    for direct in staged.direct:
        rows = unbound(direct.typed)
        part = rows.select(
            **{
                name: rows[name].cast(kind) if name in rows.columns else ibis.null(kind)
                for name, kind in wanted.items()
            }
        )
        union = part if union is None else union.union(part)
    folder = attempt.lasting()
    try:
        inputs = {direct.typed.table: direct.typed for direct in staged.direct}
        files = attempt.engine.write(union, inputs, folder, scan.schema)
    except QueryError:
        # A strict engine gives up at the first line that is not right.
        attempt.discard(folder)
        return None
    if sum(file.rows for file in files) != staged.records:
        attempt.discard(folder)
        return None
    return replace(scan, table=f"staged.{table.name}_clean", files=tuple(files)), folder


def is_faultless(attempt: Attempt, layout: LayoutTable, written: Scan) -> bool:
    """Say whether all values are there and in range; what the layout allows as text is looked at, too."""
    rows = unbound(written)
    faults = []
    for rule in layout.columns:
        column = rows[rule.name]
        if not rule.null:
            faults.append(column.isnull())
        if rule.minimum is not None and rule.maximum is not None:
            faults.append((column < int(rule.minimum)) | (column > int(rule.maximum)))
        if rule.allowed:
            faults.append(column.notin(rule.allowed))
    asked = {f"f{at}": fault.fill_null(False).sum() for at, fault in enumerate(faults)}
    return not any(attempt.checker.one(rows.aggregate(**asked), {written.table: written}).values())


def check_clean_orders(attempt: Attempt, table: TableLoad, staged: Staged) -> bool:
    """Write a first delivery of orders straight away where it is clean; else say no, with nothing changed."""
    stored = attempt.shop.scan(table.name)
    if (stored is not None and stored.files) or not looks_clean(staged):
        return False
    columns = attempt.shop.columns(table.name)
    ids = {rule.name: columns.get(rule.name, "bigint") for rule in table.layout.columns if rule.kind == "id"}
    if set(ids.values()) != {"bigint"}:
        return False
    found = write_clean(attempt, table, staged, ids)
    if found is None:
        return False
    written, folder = found
    rows = unbound(written)
    asked = {
        "orders": rows.order_id.nunique(),
        "without_set": rows.eval_set.isnull().sum(),
        "train": (rows.eval_set == "train").fill_null(False).sum(),
    }
    counts = attempt.checker.one(rows.aggregate(**asked), {written.table: written})
    if counts["orders"] != staged.records or not is_faultless(attempt, table.layout, written):
        attempt.discard(folder)
        return False
    table.clean, table.clean_folder, table.counted = written, folder, staged.counted
    table.rows = CheckedRows(
        table.layout,
        replace(written, table=f"staged.{table.name}_checked"),
        total=staged.records,
        faulty=0,
        dropped=0,
        duplicates=False,
        text_ids=frozenset(),
        complete_sets=not counts["without_set"],
        has_train=counts["train"] > 0,
        typed=True,
    )
    return True
