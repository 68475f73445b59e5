"""Drop the lines of forgotten shoppers from a delivery, before anything of it is loaded or quarantined."""

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.grocery.tables import LayoutTable
from nextbasket.ingest.checks import DROPPED, checked_schema
from nextbasket.ingest.forgotten import FORGOTTEN, Forgotten
from nextbasket.ingest.records import RAW, REASON
from nextbasket.ingest.shop import unbound
from nextbasket.query.base import QueryEngine

_SHOPPER, _ORDER = "user_id", "order_id"


class ForgottenLines:
    """Marks checked lines as dropped; a home that has forgotten nobody pays nothing for it."""

    def __init__(self, engine: QueryEngine, forgotten: Forgotten) -> None:
        self._engine = engine
        self._forgotten = forgotten

    def dropped(self, table: LayoutTable, files: Sequence[DataFile], folder: str) -> Sequence[DataFile]:
        """Return the files of a table's checked lines with those of forgotten shoppers dropped.

        Where there are any, all lines are written again into a folder inside ``folder``. An order of a forgotten
        shopper that nobody knew yet is remembered, so that its lines are known too, whenever they come.
        """
        if not self._forgotten or not files:
            return files
        scan = Scan(f"staged.{table.name}_known", "parquet", tuple(files), checked_schema(table))
        rows = unbound(scan)
        if _SHOPPER in rows.columns:
            shoppers = self._forgotten.shoppers(self._texts(rows.select(one=rows[_SHOPPER]), scan))
            if not shoppers:
                return files
            theirs = rows[_SHOPPER].isin(sorted(shoppers)).fill_null(False)
            self._forgotten.add(None, self._texts(rows.filter(theirs).select(one=rows[_ORDER]), scan))
        elif _ORDER in rows.columns:
            # The lines of an order that the shop has are loaded; all others wait for an order, or for none.
            waiting = rows.filter(rows[REASON].notnull())
            orders = self._forgotten.orders(self._texts(waiting.select(one=waiting[_ORDER]), scan))
            if not orders:
                return files
            theirs = rows[_ORDER].isin(sorted(orders)).fill_null(False) & rows[REASON].notnull()
        else:
            return files
        nothing = ibis.null("string")
        marked = rows.mutate(
            **{
                REASON: theirs.ifelse(nothing, rows[REASON]),
                DROPPED: theirs.ifelse(FORGOTTEN, rows[DROPPED]),
                RAW: theirs.ifelse(nothing, rows[RAW]),
            }
        )
        return self._engine.write(marked, {scan.table: scan}, f"{folder}/known", scan.schema)

    def _texts(self, rows: ir.Table, scan: Scan) -> list[Any]:
        handle = self._engine.start(rows.filter(rows.one.notnull()).distinct(), {scan.table: scan})
        return [text for batch in handle.batches() for text in batch.column(0).to_pylist()]
