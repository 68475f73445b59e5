import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nextbasket.catalog.local import LocalCatalog
from nextbasket.definitions.store import Definitions
from nextbasket.ingest.crawl import Crawler, CrawlPolicy, CrawlReport
from nextbasket.ingest.fates import FileFates, LoadReport
from nextbasket.ingest.land import Landing, LandReport
from nextbasket.ingest.load import Loader
from nextbasket.ingest.readable import ReadableFiles
from nextbasket.lake.local import LocalLake
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.readable import ReadableEngine
from nextbasket.query.workgroup import Workgroup

ORDERS = (
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
    "1,7,prior,1,0,10,\n"
    "2,7,train,2,1,11,8.0\n"
    "3,8,prior,1,6,23,\n"
    "4,8,test,2,5,0,30.0\n"
)
PRODUCTS = 'product_id,product_name,aisle_id,department_id\n10,Milk,1,1\n11,"Bread, brown",2,1\n'
AISLES = "aisle_id,aisle\n1,dairy\n2,bakery\n"
DEPARTMENTS = "department_id,department\n1,food\n"
PRIOR = "order_id,product_id,add_to_cart_order,reordered\n1,10,1,0\n1,11,2,0\n3,10,1,0\n"
TRAIN = "order_id,product_id,add_to_cart_order,reordered\n2,10,1,1\n"

SHOP = {
    "orders.csv": ORDERS,
    "products.csv": PRODUCTS,
    "aisles.csv": AISLES,
    "departments.csv": DEPARTMENTS,
    "order_products__prior.csv": PRIOR,
    "order_products__train.csv": TRAIN,
}


class Home:
    """A shop home with real parts; every step makes new ones, as separate commands do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "home"
        self.path.mkdir()
        self._now = datetime(2026, 11, 22, tzinfo=UTC)
        self._runs = 0
        self._sources = 0
        self.direct_from = 4 << 20

    def clock(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    @property
    def lake(self) -> LocalLake:
        return LocalLake(self.path, self.clock)

    @property
    def catalog(self) -> LocalCatalog:
        return LocalCatalog(self.path, self.lake, self.clock)

    @property
    def workgroup(self) -> Workgroup:
        files = ReadableFiles(self.lake, self.catalog)
        engine = ReadableEngine(DuckDBEngine(self.folder / "scratch", threads=2), files)
        return Workgroup(self.catalog, engine, self.lake, clock=self.clock, new_run_id=lambda: "query")

    def source(self, files: Mapping[str, str | bytes]) -> Path:
        self._sources += 1
        folder = self.folder / f"source{self._sources}"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    def land(self, *paths: Path, table: str | None = None, largest: int = 10**9) -> LandReport:
        return Landing(self.lake, self.catalog, largest_member=largest).land(paths, table)

    def crawl(self, policy: CrawlPolicy | None = None) -> CrawlReport:
        return Crawler(self.lake, self.catalog, self.catalog, clock=self.clock, policy=policy).crawl()

    def loader(self) -> Loader:
        definitions = Definitions(self.path / "definitions")
        return Loader(self.lake, self.catalog, self.workgroup, definitions, direct_from=self.direct_from)

    def load(self, run_id: str | None = None) -> LoadReport:
        self._runs += 1
        return self.loader().load(run_id or f"load-{self._runs}")

    def take(self, files: Mapping[str, str | bytes]) -> LoadReport:
        """Land, crawl and load these files."""
        self.land(self.source(files))
        self.crawl()
        report = self.load()
        for fates in report.files:
            assert fates.accounted == fates.records, fates
        return report

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        table = self.workgroup.table(sql)
        return [tuple(row.values()) for row in table.to_pylist()]

    def quarantined(self, table: str) -> list[dict[str, str]]:
        found = []
        for path in sorted((self.path / "quarantine" / table).glob("*.csv")):
            found += list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        return found


def fates_of(report: LoadReport, key: str) -> FileFates:
    (found,) = [file for file in report.files if file.key == key]
    return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def shop() -> dict[str, str | bytes]:
    return dict(SHOP)


@pytest.fixture
def fates() -> Any:
    return fates_of


@pytest.fixture
def make_home() -> type[Home]:
    return Home
