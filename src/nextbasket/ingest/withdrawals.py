"""Rows that a corrected file no longer has: they leave the table, unless another file brought them, too.

What a correction takes back is found by reading the file's former content, which landing still has. For every value
of the key's first column (order, product …) of which something is taken back, all rows are worked out anew from the
files that count, as if the former content had never been delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Scan
from nextbasket.errors import QueryError
from nextbasket.ingest.checked import CheckedRows, Orders
from nextbasket.ingest.corrections import LandedFile
from nextbasket.ingest.deliveries import open_delivery
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.staging import Staged
from nextbasket.progress import silent

WITHDRAWN = "nextbasket.withdrawn"
"""The summary's key that counts the rows a commit took out of a table, beyond what its files' fates say."""


@dataclass(frozen=True, slots=True)
class Reread:
    """Lines of files loaded earlier, read and checked once more; ``files`` gives (landing key, sha256) by number."""

    rows: CheckedRows
    files: dict[int, tuple[str, str]]


class Withdrawals:
    """Finds withdrawn rows and what takes their place."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def removed(self, table: TableLoad) -> Scan | None:
        """Return the values of the key's first column of which corrected files take something back, or None."""
        former = table.arrivals.former
        stored = self._attempt.shop.scan(table.name)
        if not former or stored is None or not stored.files or self._cannot_look_up(table):
            return None
        key = list(table.layout.key)
        before = self._read(table, former, "former").rows
        gone = before.good_rows().select(*key)
        inputs = {before.scan.table: before.scan}
        if table.rows is not None and table.rows.good:
            gone = gone.anti_join(table.rows.good_rows(), key)
            inputs[table.rows.scan.table] = table.rows.scan
        return self.values(table, [(gone, inputs)], stored)

    def _cannot_look_up(self, table: TableLoad) -> bool:
        if table.arrivals.lost:
            names = ", ".join(f"landing/{file.ref.key}" for file in table.arrivals.former)
            self._attempt.notes.append(
                f"{names} came corrected: rows that it no longer has stay, since landing/{table.arrivals.lost[0]}, "
                "loaded earlier, is no longer there to be looked up"
            )
        return bool(table.arrivals.lost)

    def values(self, table: TableLoad, parts: Sequence[tuple[ir.Table, dict[str, Scan]]], stored: Scan) -> Scan | None:
        """Write the distinct first key values of some rows, typed as they are stored; None where there is none."""
        first = table.layout.key[0]
        field = stored.schema.field(first)
        kind = ibis.Schema.from_pyarrow(pa.schema([field.remove_metadata()]))[first]
        values = None
        inputs: dict[str, Scan] = {}
        for rows, read in parts:
            one = rows.select(**{first: rows[first].cast("string").try_cast(kind)})
            values = one if values is None else values.union(one)
            inputs |= read
        if values is None:
            return None
        distinct = values.filter(values[first].notnull()).distinct()
        schema = pa.schema([field.remove_metadata()])
        files = self._attempt.engine.write(distinct, inputs, self._attempt.temporary(), schema)
        scan = Scan(f"staged.{table.name}_removed", "parquet", tuple(files), schema)
        return scan if files else None

    def reread(self, table: TableLoad, removed: Scan, known: Orders | None = None) -> Reread | None:
        """Read the lines with these first key values in all loaded files that still count, oldest file first."""
        others = table.arrivals.others
        return self._read(table, others, "again", removed, known, exact=True) if others else None

    def dangling(self, lines: Scan, known: Orders) -> ir.Table:
        """Return the orders of stored lines that are no order of the shop any more."""
        stored = unbound(lines)
        own = stored.select(order_id=stored.order_id.cast("string")).distinct()
        ids = known.ids("string")
        return own.anti_join(ids, own.order_id == ids.known_order)

    def _read(
        self,
        table: TableLoad,
        files: Sequence[LandedFile],
        name: str,
        only: Scan | None = None,
        known: Orders | None = None,
        *,
        exact: bool = False,
    ) -> Reread:
        """Read and check files once more; ``exact`` makes sure that lines at fault or doubled have their numbers."""
        attempt = self._attempt
        deliveries = [open_delivery(attempt.lake, table.layout, file.ref, file.sha256)[0] for file in files]

        def read(*, cut_all: bool) -> tuple[Staged, CheckedRows]:
            staged = attempt.stager.stage(table.layout, deliveries, attempt.temporary(), silent, cut_all=cut_all)
            return staged, attempt.checker.write(staged, attempt.temporary(), known, only=only)

        try:
            staged, rows = read(cut_all=False)
            again = exact and bool(staged.direct) and (rows.faulty > 0 or rows.duplicates)
        except QueryError:
            again = True
        if again:
            staged, rows = read(cut_all=True)
        rows = replace(rows, scan=replace(rows.scan, table=f"staged.{table.name}_{name}"))
        return Reread(rows, {at: (file.ref.key, file.sha256) for at, file in enumerate(files)})
