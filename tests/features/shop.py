"""A shop home with typed tables made straight from CSV files: the feature room's world in tests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from nextbasket.catalog.base import ICEBERG, CommitMode, DataFile, TableDefinition
from nextbasket.catalog.local import LocalCatalog
from nextbasket.catalog.types import columns_of
from nextbasket.definitions.store import Definitions
from nextbasket.features.job import FeatureJob
from nextbasket.lake.local import LocalLake
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.workgroup import Workgroup

TINY_SHOP = Path(__file__).parent.parent / "fixtures" / "tiny_shop"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TABLES = ("orders", "products", "order_products__prior", "order_products__train")
TYPES = {
    "order_id": pa.int64(),
    "user_id": pa.int64(),
    "product_id": pa.int64(),
    "eval_set": pa.string(),
    "order_number": pa.int64(),
    "order_dow": pa.int64(),
    "order_hour_of_day": pa.int64(),
    "days_since_prior_order": pa.float64(),
    "add_to_cart_order": pa.int64(),
    "reordered": pa.int64(),
    "product_name": pa.string(),
    "aisle_id": pa.int64(),
    "department_id": pa.int64(),
}


@dataclass(frozen=True, slots=True)
class Shop:
    """The parts a feature job takes, and the job."""

    lake: LocalLake
    catalog: LocalCatalog
    workgroup: Workgroup
    job: FeatureJob

    def put(self, name: str, table: pa.Table) -> None:
        """Make ``table`` the content of an Iceberg table."""
        database, short = name.split(".")
        self.catalog.define(TableDefinition(database, short, columns_of(table.schema), "", ICEBERG))
        path = Path(self.lake.staging("put")) / "part-0.parquet"
        pq.write_table(table.cast(self.catalog.scan(name).schema), path)
        file = DataFile(str(path), table.num_rows, path.stat().st_size)
        self.catalog.commit(name, CommitMode.OVERWRITE, [file], run_id=f"put-{path.parent.name}")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return a query's rows."""
        return self.workgroup.table(sql).to_pylist()

    def content(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table, by its ids."""
        names = self.catalog.scan(table).schema.names
        keys = [name for name in ("user_id", "product_id", "order_id", "age", "order_dow") if name in names]
        found = self.workgroup.table(f"SELECT * FROM {table}")  # noqa: S608 -- a name written in a test
        return found.sort_by([(key, "ascending") for key in keys]).to_pylist()

    def build(self, as_of: str, run_id: str = "run") -> None:
        """Run the recipes and the joins of one build."""
        self.job.prepare(as_of, f"{run_id}-prepare")
        self.job.build(as_of, f"{run_id}-build")


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """Read a shop's CSV files."""
    options = csv.ConvertOptions(column_types=TYPES, strings_can_be_null=True)
    return {name: csv.read_csv(folder / f"{name}.csv", convert_options=options) for name in TABLES}


def open_shop(home: Path, tables: dict[str, pa.Table]) -> Shop:
    """Make a home that holds these tables as ``load`` would leave them."""
    home.mkdir(parents=True, exist_ok=True)
    lake = LocalLake(home, lambda: MOMENT)
    catalog = LocalCatalog(home, lake, lambda: MOMENT)
    engine = DuckDBEngine(home / "scratch", threads=2)
    workgroup = Workgroup(catalog, engine, lake, clock=lambda: MOMENT, new_run_id=lambda: "query")
    shop = Shop(lake, catalog, workgroup, FeatureJob(workgroup, catalog, Definitions()))
    orders, prior, train = tables["orders"], tables["order_products__prior"], tables["order_products__train"]
    shop.put("shop.orders", orders)
    shop.put("shop.products", tables["products"])
    shop.put("shop.order_products", pa.concat_tables([prior, train]))
    history = orders.filter(pc.equal(orders["eval_set"], "prior")).join(prior, "order_id", join_type="inner")
    columns = [*orders.column_names, *(name for name in prior.column_names if name != "order_id")]
    shop.put("shop.order_products_prior", history.select(columns))
    return shop
