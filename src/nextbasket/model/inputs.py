"""The tables a model reads, pinned to the snapshots that were current when the work began."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Catalog, Scan
from nextbasket.errors import InputError
from nextbasket.query.base import Query, QueryEngine

ORDERS = "shop.orders"
LINES = "shop.order_products"
FEATURES = "features.feature_table"
FINAL_FEATURES = "features.final_features"
SERVING_FEATURES = "features_serving.feature_table"
SERVING_FINAL_FEATURES = "features_serving.final_features"

IDS = ("user_id", "product_id")


class ModelInputs:
    """Named tables at fixed snapshots, and the engine that queries them: every query of one task sees the same rows."""

    def __init__(self, engine: QueryEngine, catalog: Catalog, tables: Sequence[str]) -> None:
        self._engine = engine
        self._scans: dict[str, Scan] = {name: catalog.scan(name) for name in tables}

    @property
    def snapshots(self) -> Mapping[str, int | None]:
        """The snapshot id of every table, by name."""
        return {name: scan.snapshot_id for name, scan in sorted(self._scans.items())}

    def with_scan(self, scan: Scan) -> "ModelInputs":
        """Return the same inputs and one more table, given as a scan of files that belong to no table yet."""
        added = object.__new__(ModelInputs)
        added._engine = self._engine
        added._scans = {**self._scans, scan.table: scan}
        return added

    def schema(self, table: str) -> pa.Schema:
        """Return a table's schema."""
        return self._scans[table].schema

    def relation(self, table: str) -> ir.Table:
        """Return a table as the Ibis expression that queries build on."""
        database, name = table.split(".")
        return ibis.table(ibis.Schema.from_pyarrow(self.schema(table)), name=name, database=database)

    def features(self, table: str) -> tuple[str, ...]:
        """Return a feature table's columns besides the ids, in order; raises InputError for one that is no number."""
        schema = self.schema(table)
        for name in IDS:
            if name not in schema.names:
                raise InputError(f"the table {table} has no column {name}; build it again with 'nextbasket features'.")
        texts = [f.name for f in schema if f.name not in IDS and not _is_number(f.type)]
        if texts:
            raise InputError(f"the table {table} has columns that are no numbers: {', '.join(texts)}.")
        return tuple(name for name in schema.names if name not in IDS)

    def batches(self, query: Query, parameters: Sequence[Any] = ()) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows in order, batch by batch."""
        return self._engine.start(query, self._scans, parameters).batches()

    def table(self, query: Query, parameters: Sequence[Any] = ()) -> pa.Table:
        """Run a query and return its rows at once: for small results."""
        handle = self._engine.start(query, self._scans, parameters)
        return pa.Table.from_batches(handle.batches(), schema=handle.schema)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))
