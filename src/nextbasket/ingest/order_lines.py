"""Order lines: checked against the orders they name, written straight where all are clean, kept where they wait."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.grocery.tables import ORDER_PRODUCTS
from nextbasket.ingest.checked import NO_ORDER, CheckedRows, Orders
from nextbasket.ingest.checks import FILE, checked_schema
from nextbasket.ingest.clean_files import is_faultless, write_clean
from nextbasket.ingest.fate_counts import file_names
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.records import REASON
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.staging import Staged
from nextbasket.ingest.waiting_lines import (
    KEY,
    SHA256,
    Texts,
    WaitingLines,
    as_taken,
    checked_file,
    of_files,
    waiting_rows,
    without_orders,
)
from nextbasket.ingest.withdrawals import Reread

_ORDER = "order_id"


class LineChecks:
    """What is special about checking order lines; ``orders`` are those that lines may belong to."""

    def __init__(self, attempt: Attempt, waiting: WaitingLines, orders: Orders) -> None:
        self._attempt = attempt
        self._waiting = waiting
        self.orders = orders

    # --- clean files ---------------------------------------------------------------------------------------------

    def take_clean(self, table: TableLoad, staged: Staged, ids: dict[str, str]) -> bool:
        """Write lines straight into their table's files where nothing is wrong with any of them; else say no."""
        found = write_clean(self._attempt, table, staged, ids)
        if found is None:
            return False
        written, folder = found
        if is_faultless(self._attempt, table.layout, written) and self._belong(written):
            table.clean, table.counted = written, staged.counted
            return True
        self._attempt.discard(folder)
        return False

    def _belong(self, written: Scan) -> bool:
        """Say whether all lines belong to orders, and none is there twice or was there before."""
        attempt = self._attempt
        inputs = {written.table: written}
        rows = unbound(written)
        kind = "int64" if rows.order_id.type().is_integer() else "string"
        known = self.orders.ids(kind)
        unknown = rows.anti_join(known, rows.order_id == known.known_order)
        if attempt.count(unknown, {**inputs, **self.orders.inputs}):
            return False
        existing = attempt.shop.scan(ORDER_PRODUCTS.name)
        if existing is not None and existing.files:
            again = rows.semi_join(unbound(existing), list(ORDER_PRODUCTS.key))
            if attempt.count(again, {**inputs, existing.table: existing}):
                return False
        count = sum(file.rows for file in written.files)
        return not attempt.checker.has_duplicates(rows.select(*ORDER_PRODUCTS.key), inputs, count)

    # --- lines that wait -----------------------------------------------------------------------------------------

    def take_up(self, table: TableLoad, reread: Reread | None, removed: Texts) -> tuple[pa.Table, dict[int, int]]:
        """Add to the checked rows what older files have to say now; returns what waits from now on, and what was taken.

        That is: lines that waited for an order that is here now, and the lines of ``removed`` orders in loaded files
        (``reread``). What is taken is counted by file number.
        """
        waiting = self._waiting.read()
        counting = [file.sha256 for file in (*table.arrivals.others, *table.arrivals.new)]
        # A corrected file's former lines wait no longer; those of files that landing lost do.
        gone = [file.sha256 for file in table.arrivals.former if file.sha256 not in counting]
        hashes = _texts(waiting, SHA256)
        waiting = without_orders(of_files(waiting, [one for one in dict.fromkeys(hashes) if one not in gone]), removed)
        known = self._known(waiting)
        mask: Any = pc.is_in(waiting.column(_ORDER), known)
        taken = waiting.filter(mask)
        waiting = waiting.filter(pc.invert(mask))
        older = [checked_schema(table.layout).empty_table()]
        if reread is not None:
            older.append(renumbered(self._attempt, table, reread))
            late = self._no_order(reread.rows)
            waiting = pa.concat_tables([waiting, waiting_rows(late, reread.files)])
        counts: dict[int, int] = {}
        if taken.num_rows:
            numbers = self._numbers(table, taken)
            older.append(as_taken(taken, numbers))
            counted: Any = pc.value_counts(older[-1].column(FILE))
            counts = dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
        if table.rows is not None and table.rows.faulty:
            late = self._no_order(table.rows)
            waiting = pa.concat_tables([waiting, waiting_rows(late, file_names(table))])
        rows = pa.concat_tables(older)
        if rows.num_rows:
            file = checked_file(self._attempt.lake, rows, f"{self._attempt.temporary()}/again.parquet")
            files = table.rows.scan.files if table.rows is not None else ()
            table.rows = self._attempt.checker.counted(table.layout, (*files, file))
        return waiting, counts

    def _known(self, waiting: pa.Table) -> Texts:
        """Return those orders of waiting lines that are known, as text."""
        if not waiting.num_rows:
            return pa.array([], pa.string())
        column = waiting.column(_ORDER).unique()
        uri = f"{self._attempt.temporary()}/orders.parquet"
        filesystem, path = self._attempt.lake.filesystem(uri)
        pq.write_table(pa.table([column], [_ORDER]), path, filesystem=filesystem)
        schema = pa.schema([(_ORDER, pa.string())])
        asked = Scan("staged.asked", "parquet", (DataFile(uri, len(column), 0),), schema)
        ids = self.orders.ids("string")
        rows = unbound(asked)
        found = rows.semi_join(ids, rows.order_id == ids.known_order)
        table = self._attempt.checker.table(found, {asked.table: asked, **self.orders.inputs})
        return table.column(_ORDER).combine_chunks()

    def _no_order(self, rows: CheckedRows) -> pa.Table:
        lines = rows.rows()
        late = lines.filter(lines[REASON].notnull() & lines[REASON].startswith(NO_ORDER))
        return self._attempt.checker.table(late, {rows.scan.table: rows.scan})

    def _numbers(self, table: TableLoad, taken: pa.Table) -> dict[str, int]:
        """Give each file of taken lines a number below all others, in the order in which the files were loaded."""
        places = {file.sha256: place for place, file in enumerate((*table.arrivals.others, *table.arrivals.new))}
        keys = dict(zip(_texts(taken, SHA256), _texts(taken, KEY), strict=True))
        hashes = sorted(keys, key=lambda sha256: places.get(sha256, -1))
        lowest = min(table.again, default=0)
        numbers = {sha256: lowest - len(hashes) + place for place, sha256 in enumerate(hashes)}
        table.again |= {number: (keys[sha256], sha256) for sha256, number in numbers.items()}
        return numbers


def _texts(lines: pa.Table, column: str) -> list[str]:
    return [str(value) for value in lines.column(column).to_pylist()]


def renumbered(attempt: Attempt, table: TableLoad, reread: Reread) -> pa.Table:
    """Return the good lines of older files, with file numbers below those of the new ones."""
    good = attempt.checker.table(reread.rows.good_rows(), {reread.rows.scan.table: reread.rows.scan})
    shift = -len(reread.files)
    table.again |= {number + shift: name for number, name in reread.files.items()}
    numbers = pc.add(good.column(FILE), shift)
    return good.set_column(good.schema.get_field_index(FILE), FILE, numbers).cast(checked_schema(table.layout))
