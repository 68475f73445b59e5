"""A small made-up shop's feature tables in a real lake, catalog and DuckDB engine: the model room's world in tests.

Shoppers have a hidden taste for each product; candidates, labels and features follow from it, so there is something
to learn and the frequency alone does not say all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nextbasket.catalog.base import ICEBERG, CommitMode, DataFile, TableDefinition
from nextbasket.catalog.local import LocalCatalog
from nextbasket.catalog.types import columns_of
from nextbasket.features.baseline import BASELINE_FEATURES
from nextbasket.lake.local import LocalLake
from nextbasket.query.duckdb import DuckDBEngine

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shop:
    """The parts every model task takes."""

    home: Path
    lake: LocalLake
    catalog: LocalCatalog
    engine: DuckDBEngine

    def put(self, name: str, table: pa.Table, run_id: str = "test") -> None:
        """Make ``table`` the content of an Iceberg table."""
        database, short = name.split(".")
        self.catalog.define(TableDefinition(database, short, columns_of(table.schema), "", ICEBERG))
        schema = self.catalog.scan(name).schema
        path = Path(self.lake.staging(run_id)) / "part-0.parquet"
        pq.write_table(table.cast(schema), path)
        file = DataFile(str(path), table.num_rows, path.stat().st_size)
        self.catalog.commit(name, CommitMode.OVERWRITE, [file], run_id=f"{run_id}-{name}-{path.parent.name}")


def open_shop(home: Path) -> Shop:
    """Open the parts over a home folder."""
    home.mkdir(parents=True, exist_ok=True)
    clock: Callable[[], datetime] = lambda: MOMENT  # noqa: E731 - a clock that stands still
    lake = LocalLake(home, clock)
    return Shop(home, lake, LocalCatalog(home, lake, clock), DuckDBEngine(home / "scratch", threads=2))


def fill(shop: Shop, *, shoppers: int = 600, seed: int = 5, text_ids: bool = False) -> None:
    """Put shop and feature tables of both builds for generated shoppers; every tenth order is a ``test`` order."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(3, 30, shoppers)
    users = np.repeat(np.arange(1, shoppers + 1), sizes)
    rows = users.size
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    products = (np.arange(rows) - np.repeat(starts, sizes)) * 7 % 211 + 1
    orders = np.repeat(generator.integers(4, 40, shoppers), sizes)
    taste = generator.beta(0.6, 2.2, rows)
    times = np.maximum(1, generator.binomial(orders, taste))
    overdue = generator.normal(0, 1, rows)
    logit = np.log(taste / (1 - taste)) * 0.8 + 1.1 * overdue - 0.9
    label = generator.random(rows) < 1 / (1 + np.exp(-logit))

    def ids(values: np.ndarray, prefix: str) -> pa.Array:
        return pa.array([f"{prefix}{value}" for value in values]) if text_ids else pa.array(values.astype(np.int64))

    noise = {name: generator.normal(0, 1, rows) for name in BASELINE_FEATURES}
    known = {
        "up_orders": times.astype(np.int64),
        "user_orders": orders.astype(np.int64),
        "up_order_rate": times / orders,
        "user_period": np.full(rows, np.nan),
    }
    columns = {"user_id": ids(users, "u"), "product_id": ids(products, "p")}
    for name in BASELINE_FEATURES:
        values = known.get(name, noise[name])
        columns[name] = pa.array(values, from_pandas=True)
    base = pa.table(columns)
    extra = pa.table(
        {
            "user_id": columns["user_id"],
            "product_id": columns["product_id"],
            "overdue": overdue,
            "target_weekday": pa.nulls(rows, pa.int64()),
            "is_new": pa.array(times == 1),
        }
    )
    unique = np.arange(1, shoppers + 1)
    tests = unique % 10 == 0
    target = unique + 100_000
    headers = pa.table(
        {
            "order_id": ids(np.concatenate((unique, target)), "o"),
            "user_id": ids(np.concatenate((unique, unique)), "u"),
            "eval_set": pa.array(["prior"] * shoppers + ["test" if t else "train" for t in tests]),
            "order_number": pa.array(np.repeat([1, 2], shoppers)),
        }
    )
    bought = label & ~tests[users - 1]
    # One product outside the history stands in every train order: it must not become a candidate.
    outside = unique[~tests]
    lines = pa.table(
        {
            "order_id": ids(np.concatenate((users[bought] + 100_000, outside + 100_000, users)), "o"),
            "product_id": ids(np.concatenate((products[bought], np.full(outside.size, 999), products)), "p"),
        }
    )
    names = pa.table(
        {
            "product_id": ids(np.arange(1, 212), "p"),
            "product_name": pa.array([f"Product {number}" for number in range(1, 212)]),
        }
    )
    shop.put("shop.orders", headers)
    shop.put("shop.order_products", lines)
    shop.put("shop.products", names)
    for database in ("features", "features_serving"):
        shop.put(f"{database}.feature_table", base)
        shop.put(f"{database}.final_features", extra)
