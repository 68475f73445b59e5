"""Order lines that came before their order: kept aside as checked rows, and taken as soon as the order is there.

They stand in one Parquet file of the quarantine zone, ``waiting/<unique>.parquet``. Which one counts is said by the
summary of the commit to ``order_products`` that made it so: the lines leave the file in the commit that takes them.
People read them, as all quarantined lines, in ``quarantine/order_products/``.
"""

import io
import secrets
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nextbasket.catalog.base import Catalog, DataFile
from nextbasket.errors import HomeError
from nextbasket.grocery.tables import ORDER_PRODUCTS
from nextbasket.ingest.checks import FILE, checked_schema
from nextbasket.ingest.quarantine import Quarantine
from nextbasket.ingest.records import LINE, RAW, REASON
from nextbasket.ingest.shop import Shop
from nextbasket.lake.base import Lake, Zone

Texts: TypeAlias = "pa.Array[Any]"

WAITING = "nextbasket.waiting"
"""The summary's key that names the file of waiting lines in the quarantine zone; empty where no line waits."""

SHOWN = f"{ORDER_PRODUCTS.name}/without-an-order.csv"
"""The file of the quarantine zone in which people read them."""

KEY, SHA256 = "src_key", "src_sha256"
"""The columns of waiting lines, beside those of checked rows, that say which landed file they are from."""

_STATE = "ingest.waiting"
_CHECKED = checked_schema(ORDER_PRODUCTS)
_KEPT: list[tuple[str, pa.DataType]] = [(KEY, pa.string()), (SHA256, pa.string())]
SCHEMA = pa.schema([*_CHECKED, *(pa.field(name, kind) for name, kind in _KEPT)])


class WaitingLines:
    """Reads and writes the waiting lines of a shop."""

    def __init__(self, lake: Lake, catalog: Catalog) -> None:
        self._lake = lake
        self._catalog = catalog
        self._shop = Shop(catalog)
        self.key = self._current()
        """The file that counts; empty where no line waits."""

    def read(self) -> pa.Table:
        """Return the lines that wait, with the columns of ``SCHEMA``."""
        if not self.key:
            return SCHEMA.empty_table()
        return self._read(self.key)

    def write(self, lines: pa.Table) -> str:
        """Write the lines that will wait after the next commit; returns the key to put into its summary."""
        if not lines.num_rows:
            return ""
        buffer = io.BytesIO()
        pq.write_table(lines, buffer, compression="zstd")
        buffer.seek(0)
        key = f"waiting/{secrets.token_hex(8)}.parquet"
        self._lake.put(Zone.QUARANTINE, key, buffer)
        return key

    def show(self) -> None:
        """Let people read what waits now, and remove files that no commit but the last two speaks of."""
        current = self._current()
        if (self._catalog.state(_STATE) or "") == current:
            return
        lines = self._read(current) if current else SCHEMA.empty_table()
        Quarantine(self._lake, self._catalog).show(ORDER_PRODUCTS.name, SHOWN, lines)
        self._catalog.set_state(_STATE, current)
        earlier = [
            snapshot.summary[WAITING]
            for snapshot in self._catalog.snapshots(f"shop.{ORDER_PRODUCTS.name}")
            if snapshot.summary.get(WAITING)
        ]
        # A load that runs beside this one may still read the file before the last.
        for key in {*earlier} - {*list(dict.fromkeys(earlier))[-2:]}:
            for ref in list(self._lake.list(Zone.QUARANTINE, key)):
                self._lake.delete(ref)

    def _current(self) -> str:
        """Return the file that counts: the last commit's to name one, else, where it has expired, the one shown."""
        key = self._shop.latest(ORDER_PRODUCTS.name, WAITING)
        if key is None and self._shop.ledger(ORDER_PRODUCTS.name):
            key = self._catalog.state(_STATE)
        return key or ""

    def _read(self, key: str) -> pa.Table:
        for ref in self._lake.list(Zone.QUARANTINE, key):
            with self._lake.open(ref) as stream:
                return pq.read_table(stream, schema=SCHEMA)
        raise HomeError(
            f"quarantine/{key} with the lines that wait for their orders is missing; restore it, or drop the table "
            f"shop.{ORDER_PRODUCTS.name} and load again."
        )


def waiting_rows(lines: pa.Table, files: dict[int, tuple[str, str]]) -> pa.Table:
    """Return checked rows as waiting lines; ``files`` gives (landing key, sha256) by file number."""
    numbers = list(files)
    places: Any = pc.index_in(lines.column(FILE), pa.array(numbers, pa.int64()))
    keys = pa.array([files[number][0] for number in numbers], pa.string()).take(places)
    hashes = pa.array([files[number][1] for number in numbers], pa.string()).take(places)
    return lines.select(_CHECKED.names).append_column(KEY, keys).append_column(SHA256, hashes).cast(SCHEMA)


def as_taken(lines: pa.Table, numbers: dict[str, int]) -> pa.Table:
    """Return waiting lines as good checked rows; ``numbers`` gives the file number by sha256."""
    places: Any = pc.index_in(lines.column(SHA256), pa.array(list(numbers), pa.string()))
    files = pa.array(list(numbers.values()), pa.int64()).take(places)
    taken = lines.set_column(lines.schema.get_field_index(FILE), FILE, files)
    reasons = pa.nulls(lines.num_rows, pa.string())
    return taken.set_column(taken.schema.get_field_index(REASON), REASON, reasons).select(_CHECKED.names).cast(_CHECKED)


def in_order(lines: pa.Table) -> pa.Table:
    """Return waiting lines by file and line, as they are written down."""
    return lines.sort_by([(KEY, "ascending"), (SHA256, "ascending"), (LINE, "ascending"), (RAW, "ascending")])


def of_files(lines: pa.Table, hashes: Sequence[str]) -> pa.Table:
    """Return the waiting lines of some files only."""
    return lines.filter(pc.is_in(lines.column(SHA256), pa.array(list(hashes), pa.string())))


def without_orders(lines: pa.Table, orders: Texts) -> pa.Table:
    """Return the waiting lines of all orders but these."""
    return lines.filter(pc.invert(cast(Any, pc.is_in(lines.column("order_id"), orders.cast(pa.string())))))


def checked_file(lake: Lake, lines: pa.Table, uri: str) -> DataFile:
    """Write checked rows into one file."""
    filesystem, path = lake.filesystem(uri)
    pq.write_table(lines, path, filesystem=filesystem, compression="zstd")
    return DataFile(uri, lines.num_rows, 0)
