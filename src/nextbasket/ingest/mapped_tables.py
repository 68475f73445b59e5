"""Tables made by a mapping: run it, check what it returns, and account for the lines of its source."""

from dataclasses import replace

from nextbasket.catalog.base import Scan
from nextbasket.errors import InputError, QueryError
from nextbasket.grocery.tables import ORDER_PRODUCTS
from nextbasket.ingest.checked import CheckedRows, Orders
from nextbasket.ingest.checks import PATH, checked
from nextbasket.ingest.fates import summary_of
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.mapping import SUMMARY, Mapping
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.staging import Counted
from nextbasket.query.base import Inputs
from nextbasket.query.workgroup import Workgroup


def check_mapped(
    attempt: Attempt, workgroup: Workgroup, table: TableLoad, mapping: Mapping, orders: Orders | None
) -> CheckedRows:
    """Run a mapping and check what it returns as any file is; raises InputError where it cannot be used."""
    uris = {file.ref.uri for file in mapping.files}
    # Of a file that came corrected, landing has the former content as well.
    inputs = {
        name: replace(scan, files=tuple(file for file in scan.files if file.uri in uris))
        for name, scan in workgroup.inputs(mapping.sql).items()
    }
    statement = mapping.statement
    try:
        schema = attempt.engine.describe(statement, inputs)
        files = attempt.engine.write(statement, inputs, attempt.temporary())
    except QueryError as error:
        raise InputError(f"{mapping.where} cannot be run: {error}") from error
    made = Scan(f"staged.{table.name}_mapped", "parquet", tuple(files), schema)
    produced = sum(file.rows for file in files)
    paths: list[str] = []
    if table.name == ORDER_PRODUCTS.name:
        delivered = _source_rows(attempt, mapping, inputs)
        if produced != sum(delivered):
            raise InputError(
                f"{mapping.where} returns {produced:,} rows for the {sum(delivered):,} rows of its source: it must "
                "return one row for each, with a dropped_reason where a line is left out."
            )
        if PATH in schema.names:
            paths = [file.ref.uri for file in mapping.files]
            table.paths = True
        table.counted = tuple(Counted(count) for count in delivered)
    part = checked(table.layout, made, files=paths)
    return attempt.checker.write_rows(table.layout, [part], {made.table: made}, attempt.temporary(), orders)


def _source_rows(attempt: Attempt, mapping: Mapping, inputs: Inputs) -> list[int]:
    """Count the rows of each file that the mapping of lines reads."""
    if len(mapping.sources) != 1:
        raise InputError(
            f"{mapping.where} reads {', '.join(mapping.sources)}: to account for lines it must read one table."
        )
    (scan,) = inputs.values()
    counts = []
    for file in mapping.files:
        one = replace(scan, files=tuple(found for found in scan.files if found.uri == file.ref.uri))
        counts.append(attempt.count(unbound(one), {one.table: one}))
    return counts


def summary_of_mapping(attempt: Attempt, table: TableLoad, mapping: Mapping) -> dict[str, str]:
    """Return the summary of the commit of a mapped table; only lines are accounted for by file."""
    if table.name == ORDER_PRODUCTS.name:
        return {**summary_of(table.fates), SUMMARY: mapping.fingerprint}
    # Its rows are made from many lines: they are counted as rows, and lines are accounted for by the other table.
    made = sum(fate.accepted for fate in table.fates)
    bad = sum(fate.quarantined for fate in table.fates)
    note = f"{table.name}: {mapping.where} made {made:,} rows"
    kept = [fate.quarantine for fate in table.fates if fate.quarantine]
    attempt.notes.append(f"{note}; {bad:,} more are in quarantine/{kept[0]}" if kept else note)
    table.fates = []
    return {SUMMARY: mapping.fingerprint}
