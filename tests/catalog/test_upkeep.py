"""Versions expire by policy, files that nothing needs go by age, and nothing that is needed is touched."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import Column, CommitMode, DataFile, TableDefinition
from nextbasket.catalog.local import LocalCatalog
from nextbasket.catalog.types import arrow_schema
from nextbasket.catalog.vacuum import KEEP_LAST, MAX_AGE, Policy, Upkeep
from nextbasket.errors import InputError, NotFoundError
from nextbasket.lake.local import LocalLake

ORDERS = TableDefinition("shop", "orders", (Column("order_id", "bigint"),), "", "iceberg")
DAY = timedelta(days=1)


class Home:
    """A home whose clock can be put forward; files and snapshots keep the real time they were made at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ahead = timedelta(0)
        self.lake = LocalLake(path, self.clock)
        self.catalog = LocalCatalog(path, self.lake, self.clock)
        self.catalog.define(ORDERS)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def upkeep(self, policy: Policy | None = None) -> Upkeep:
        return Upkeep(self.catalog, self.lake, self.path / "scratch", policy or Policy(), self.clock)

    def write(self, ids: list[int]) -> DataFile:
        uri = f"{self.lake.staging('run')}/part.parquet"
        pq.write_table(pa.table([pa.array(ids)], schema=arrow_schema(ORDERS.columns, field_ids=True)), uri)
        return DataFile(uri, len(ids), Path(uri).stat().st_size)

    def overwrite(self, ids: list[int]) -> DataFile:
        file = self.write(ids)
        self.catalog.commit("shop.orders", CommitMode.OVERWRITE, [file], run_id=f"run-{ids}")
        return file

    def ids(self) -> list[int]:
        uris = [file.uri for file in self.catalog.scan("shop.orders").files]
        return sorted(one for uri in uris for one in pq.read_table(uri)["order_id"].to_pylist())

    def files(self) -> set[Path]:
        return {path for path in self.path.rglob("*") if path.is_file() and not path.name.startswith("catalog.db")}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_versions_beyond_the_last_few_expire_when_they_are_old(home: Home) -> None:
    files = [home.overwrite([number]) for number in range(7)]
    assert home.upkeep().vacuum().snapshots == {}
    home.ahead = 8 * DAY
    report = home.upkeep().vacuum()
    assert report.snapshots == {"shop.orders": 2}
    assert [Path(file.uri).exists() for file in files] == [False, False, True, True, True, True, True]
    assert report.bytes >= files[0].bytes + files[1].bytes
    assert home.ids() == [6]
    assert len(home.catalog.snapshots("shop.orders")) == 5
    again = home.upkeep().vacuum()
    assert (again.snapshots, again.files, again.bytes) == ({}, 0, 0)


def test_a_table_s_own_properties_count(home: Home) -> None:
    for number in range(4):
        home.overwrite([number])
    home.catalog.set_properties("shop.orders", {MAX_AGE: "0", KEEP_LAST: "1"})
    assert home.upkeep().vacuum().snapshots == {"shop.orders": 3}
    home.catalog.set_properties("shop.orders", {KEEP_LAST: "few"})
    with pytest.raises(InputError, match=KEEP_LAST):
        home.upkeep().vacuum()


def test_a_dry_run_says_what_would_go_and_changes_nothing(home: Home) -> None:
    files = [home.overwrite([number]) for number in range(7)]
    orphan = home.write([99])
    scratch = home.path / "scratch" / "left"
    scratch.mkdir(parents=True)
    (scratch / "rows.bin").write_bytes(b"x" * 100)
    home.ahead = 8 * DAY
    before = home.files()
    dry = home.upkeep().vacuum(dry_run=True)
    assert home.files() == before
    assert dry.snapshots == {"shop.orders": 2}
    assert (dry.files, dry.scratch) == (3, 1)
    assert dry.bytes == files[0].bytes + files[1].bytes + orphan.bytes + 100
    done = home.upkeep().vacuum()
    assert done.snapshots == dry.snapshots
    # The expired versions' own metadata goes too, which a dry run does not look into.
    assert done.bytes >= dry.bytes
    assert not Path(orphan.uri).exists()
    assert not scratch.exists()


def test_what_a_running_load_has_written_stays(home: Home) -> None:
    file = home.write([1])
    young = home.path / "scratch" / "spill.tmp"
    young.parent.mkdir()
    young.write_bytes(b"x")
    home.ahead = timedelta(hours=23)
    assert home.upkeep().vacuum().files == 0
    assert young.exists()
    home.catalog.commit("shop.orders", CommitMode.APPEND, [file], run_id="late")
    assert home.ids() == [1]
    home.ahead = 30 * DAY
    home.upkeep().vacuum()
    assert home.ids() == [1]


def test_a_run_does_it_once_a_day(home: Home) -> None:
    orphan = home.write([1])
    old = (home.clock() - 2 * DAY).timestamp()
    os.utime(orphan.uri, (old, old))
    assert home.upkeep().when_due() is None
    home.ahead = timedelta(hours=23)
    assert home.upkeep().when_due() is None
    assert Path(orphan.uri).exists()
    home.ahead = timedelta(hours=25)
    report = home.upkeep().when_due()
    assert report is not None
    assert report.files == 1
    assert home.upkeep().when_due() is None


def test_only_tables_with_versions_can_be_named(home: Home) -> None:
    location = str(home.path / "landing" / "raw")
    home.catalog.define(TableDefinition("landing", "raw", (Column("line", "string"),), location, "csv"))
    with pytest.raises(InputError, match="read in place"):
        home.upkeep().vacuum("landing.raw")
    with pytest.raises(NotFoundError, match=r"shop\.orders"):
        home.upkeep().vacuum("shop.ordres")
