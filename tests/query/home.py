"""A small home for tests of statements: four orders as CSV and as an Iceberg table, with history and locks."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from nextbasket.catalog.base import Column, TableDefinition
from nextbasket.catalog.database import CatalogDatabase
from nextbasket.catalog.local import LocalCatalog
from nextbasket.lake.base import Zone
from nextbasket.lake.local import LocalLake
from nextbasket.query.base import Limits, QueryEngine
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.history import QueryHistory
from nextbasket.query.ownership import Ownership
from nextbasket.query.workgroup import Workgroup

ORDERS_CSV = """order_id,user_id,eval_set,gap
1,1,prior,
2,1,prior,7.0
3,1,train,14.0
4,2,prior,
"""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class StatementHome:
    """``landing.orders`` (CSV), ``shop.orders`` (the pipeline's) and a workgroup over them."""

    def __init__(self, home: Path, engine: QueryEngine | None = None, limits: Limits | None = None) -> None:
        self.home = home
        self.lake = LocalLake(home, lambda: NOON)
        self.catalog = LocalCatalog(home, self.lake, lambda: NOON)
        self.statements = 0
        self.workgroup = Workgroup(
            self.catalog,
            engine or DuckDBEngine(home / "scratch", threads=2, memory_limit="500MB"),
            self.lake,
            clock=lambda: NOON,
            new_run_id=self.new_id,
            limits=limits,
            ownership=Ownership(names=frozenset({"shop.orders", "shop.order_products_prior"})),
            history=QueryHistory(CatalogDatabase(home / "catalog.db"), lambda: NOON, keep=50),
            locks=home / "locks",
        )
        self.lake.put(Zone.LANDING, "orders/orders.csv", io.BytesIO(ORDERS_CSV.encode()))
        kinds = (("order_id", "bigint"), ("user_id", "bigint"), ("eval_set", "string"), ("gap", "double"))
        columns = tuple(Column(name, kind) for name, kind in kinds)
        parameters = {"delimiter": ",", "skip.header.line.count": "1"}
        location = self.lake.uri(Zone.LANDING, "orders")
        self.catalog.define(TableDefinition("landing", "orders", columns, location, "csv", (), parameters))
        self.workgroup.materialise("SELECT * FROM landing.orders", "shop.orders", run_id="load")

    def new_id(self) -> str:
        self.statements += 1
        return f"s{self.statements}"

    def rows(self, sql: str, **options: object) -> list[dict]:
        handle = self.workgroup.execute(sql, **options)
        return pa.Table.from_batches(list(handle.batches()), handle.schema).to_pylist()

    def values(self, sql: str, **options: object) -> list[tuple]:
        return [tuple(row.values()) for row in self.rows(sql, **options)]

    def run(self, *statements: str) -> None:
        for sql in statements:
            self.rows(sql)
