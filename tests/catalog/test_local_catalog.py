import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import Column, CommitMode, DataFile, TableDefinition
from nextbasket.catalog.ledger import INGESTED
from nextbasket.catalog.local import LocalCatalog
from nextbasket.catalog.types import arrow_schema
from nextbasket.errors import CommitConflictError, HomeError
from nextbasket.lake.base import Zone
from nextbasket.lake.local import LocalLake

ORDERS = TableDefinition("shop", "orders", (Column("order_id", "bigint"),), "", "iceberg")


def now() -> datetime:
    return datetime.now(UTC)


def open_home(home: Path) -> LocalCatalog:
    return LocalCatalog(home, LocalLake(home, now), now)


def write(home: Path, ids: list[int]) -> DataFile:
    uri = f"{LocalLake(home, now).staging('r')}/part.parquet"
    pq.write_table(pa.table([pa.array(ids)], schema=arrow_schema(ORDERS.columns, field_ids=True)), uri)
    return DataFile(uri, len(ids), Path(uri).stat().st_size)


def append(home: Path, ids: list[int], run_id: str, **summary: str) -> None:
    open_home(home).commit("shop.orders", CommitMode.APPEND, [write(home, ids)], run_id=run_id, summary=summary)


def ids(home: Path) -> list[int]:
    uris = [file.uri for file in open_home(home).scan("shop.orders").files]
    return sorted(i for uri in uris for i in pq.read_table(uri)["order_id"].to_pylist())


def free_bytes(folder: Path) -> int:
    stats = os.statvfs(folder)
    return stats.f_bavail * stats.f_frsize


def ingested(sha256: str) -> str:
    return json.dumps([{"sha256": sha256, "key": f"{sha256}.csv", "accepted": 1}])


PREAMBLE = """
import os, signal, sys
from pathlib import Path
import importlib.util
spec = importlib.util.spec_from_file_location("steps", sys.argv[1])
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)
home = Path(sys.argv[2])
"""


def start(home: Path, program: str, *arguments: str) -> "subprocess.Popen[str]":
    """Run a program in another process, with this module as ``steps`` and the home as ``home``."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        PREAMBLE + textwrap.dedent(program),
        __file__,
        str(home),
        *arguments,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "shop"
    open_home(home).define(ORDERS)
    return home


def test_eight_processes_lose_no_commit(home: Path) -> None:
    # One process imports everything and forks before it has a thread: eight imports would take most of the time.
    program = """
        import pyiceberg.catalog.sql, pyiceberg.io.pyarrow, pyarrow.parquet
        def work(worker):
            catalog = steps.open_home(home)
            for number in range(5):
                file = steps.write(home, [worker * 5 + number])
                summary = {steps.INGESTED: steps.ingested(f"{worker}-{number}")}
                run = f"r{worker}-{number}"
                catalog.commit("shop.orders", steps.CommitMode.APPEND, [file], run_id=run, summary=summary)
        children = []
        for worker in range(8):
            child = os.fork()
            if child == 0:
                work(worker)
                os._exit(0)
            children.append(child)
        sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
    """
    parent = start(home, program)
    _, errors = parent.communicate(timeout=120)
    assert parent.returncode == 0, errors
    assert ids(home) == list(range(40))
    catalog = open_home(home)
    snapshots = catalog.snapshots("shop.orders")
    assert [snapshot.parent_id for snapshot in snapshots] == [None, *(snapshot.id for snapshot in snapshots[:-1])]
    assert len({file.sha256 for file in catalog.ledger()}) == 40


KILL_POINTS = {
    "before the manifest": ("pyiceberg.table.update.snapshot", "_SnapshotProducer", "new_manifest_output", [1]),
    "before the metadata file": ("pyiceberg.catalog.sql", "SqlCatalog", "_write_metadata", [1]),
    "before the catalog's row": ("pyiceberg.catalog.sql", "Session", "execute", [1]),
    "before the ledger": ("nextbasket.catalog", "ledger", "record", [1, 2]),
}


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_killed_commit_leaves_the_old_version_or_the_new_one(home: Path, point: str) -> None:
    append(home, [1], "r1", **{INGESTED: ingested("aa")})
    module, owner, function, expected = KILL_POINTS[point]
    program = """
        import importlib
        steps.open_home(home)._iceberg().list_namespaces()
        owner = getattr(importlib.import_module(sys.argv[3]), sys.argv[4])
        real = getattr(owner, sys.argv[5])
        def killed(*arguments, **named):
            if sys.argv[5] == "execute" and "UPDATE" not in str(arguments[1]):
                return real(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        setattr(owner, sys.argv[5], killed)
        steps.append(home, [2], "r2", **{steps.INGESTED: steps.ingested("bb")})
    """
    process = start(home, program, module, owner, function)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    assert ids(home) == expected
    loaded = open_home(home).ingested("bb")
    assert (loaded is not None) == (2 in expected)
    append(home, [2], "r2", **{INGESTED: ingested("bb")})
    assert ids(home) == [1, 2]
    assert [file.sha256 for file in open_home(home).ledger()] == ["aa", "bb"]
    lake = LocalLake(home, lambda: now() + timedelta(days=2))
    lake.sweep(timedelta(days=1), open_home(home).referenced_files())
    assert ids(home) == [1, 2]


def test_a_killed_holder_of_the_lock_blocks_nobody(home: Path) -> None:
    program = """
        with steps.open_home(home)._changing():
            print("held", flush=True)
            signal.pause()
    """
    holder = start(home, program)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate(timeout=60)
    append(home, [1], "r1")
    assert ids(home) == [1]


def test_the_ledger_is_rebuilt_from_the_snapshots(home: Path) -> None:
    append(home, [1], "r1", **{INGESTED: ingested("aa")})
    append(home, [2], "r2", **{INGESTED: ingested("bb")})
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        for table in ("ingest_ledger", "commits", "ledger_position", "plans"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
        connection.commit()
    assert [(file.sha256, file.run_id, file.accepted) for file in open_home(home).ledger()] == [
        ("aa", "r1", 1),
        ("bb", "r2", 1),
    ]
    append(home, [1], "r1")
    assert ids(home) == [1, 2]


def test_a_writer_without_our_lock_is_a_conflict(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(home, [1], "r1")
    catalog = open_home(home)
    load = catalog._load

    def load_then_lose(database: str, table: str) -> Any:
        loaded = load(database, table)
        other = load(database, table)
        with other.transaction() as transaction:
            transaction.update_snapshot(snapshot_properties={"run_id": "other"}).fast_append().commit()
        return loaded

    monkeypatch.setattr(catalog, "_load", load_then_lose)
    with pytest.raises(CommitConflictError, match=r"another program committed to shop\.orders first"):
        catalog.commit("shop.orders", CommitMode.OVERWRITE, [write(home, [2])], run_id="r2")
    assert ids(home) == [1]
    assert [snapshot.run_id for snapshot in open_home(home).snapshots("shop.orders")] == ["r1", "other"]


def test_a_home_may_have_an_odd_name(tmp_path: Path) -> None:
    home = tmp_path / "my shop #1 100%25 größe'x=y&z;,"
    open_home(home).define(ORDERS)
    append(home, [1], "r1")
    assert ids(home) == [1]


def test_reading_needs_no_pyiceberg_and_writes_nothing(home: Path) -> None:
    append(home, [1], "r1", **{INGESTED: ingested("aa")})
    before = {
        path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file() and "catalog.db-" not in path.name
    }
    program = """
        catalog = steps.open_home(home)
        catalog.tables()
        assert catalog.scan("shop.orders").files
        assert catalog.ingested("aa")
        assert catalog.state("x") is None
        assert not [name for name in sys.modules if name.startswith(("pyiceberg", "sqlalchemy", "pandas"))]
    """
    reader = start(home, program)
    _, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    after = {
        path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file() and "catalog.db-" not in path.name
    }
    assert after == before


def test_asking_an_empty_home_creates_nothing(tmp_path: Path) -> None:
    catalog = open_home(tmp_path / "none")
    assert catalog.tables() == []
    assert catalog.state("x") is None
    assert catalog.ledger() == []
    assert catalog.referenced_files() == set()
    assert not (tmp_path / "none").exists()


def test_a_read_only_home_is_read_and_refuses_changes(
    read_only: tuple[Path, Callable[[], AbstractContextManager[None]]],
) -> None:
    folder, sealed = read_only
    home = folder / "shop"
    open_home(home).define(ORDERS)
    append(home, [1], "r1", **{INGESTED: ingested("aa")})
    file = write(home, [2])
    with sealed():
        assert ids(home) == [1]
        catalog = open_home(home)
        assert [definition.full_name for definition in catalog.tables()] == ["shop.orders"]
        assert catalog.ingested("aa") is not None
        for change in (
            lambda: catalog.commit("shop.orders", CommitMode.APPEND, [file], run_id="r2"),
            lambda: catalog.define(replace(ORDERS, name="more")),
            lambda: catalog.set_state("a", "b"),
        ):
            with pytest.raises(HomeError, match=r"(read-only|permission denied).*--home"):
                change()
        with pytest.raises(HomeError, match=r"(read-only|permission denied).*--home"):
            open_home(folder / "new").define(ORDERS)


def test_a_full_disk_is_one_clear_sentence_and_loses_nothing(small_disk: Path) -> None:
    home = small_disk / "shop"
    open_home(home).define(ORDERS)
    append(home, [1], "r1")
    file = write(home, [2])
    filler = small_disk / "filler"
    filler.write_bytes(bytes(free_bytes(small_disk)))
    with pytest.raises(HomeError, match="the disk is full"):
        open_home(home).commit("shop.orders", CommitMode.APPEND, [file], run_id="r2")
    assert free_bytes(small_disk) < 64 << 10
    assert ids(home) == [1]
    filler.unlink()
    open_home(home).commit("shop.orders", CommitMode.APPEND, [file], run_id="r2")
    assert ids(home) == [1, 2]


def test_a_file_that_is_no_catalog_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("this is no database, " * 100)
    with pytest.raises(HomeError, match=r"catalog\.db is damaged or not a catalog"):
        open_home(tmp_path).tables()
    with pytest.raises(HomeError, match=r"catalog\.db is damaged or not a catalog"):
        open_home(tmp_path).define(ORDERS)


def test_a_catalog_of_a_newer_version_is_left_alone(home: Path) -> None:
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HomeError, match="newer nextbasket"):
        open_home(home).define(ORDERS)


@pytest.mark.parametrize(("damage", "words"), [(Path.unlink, "is missing"), (Path.touch, "is damaged")])
def test_a_lost_metadata_file_is_named_and_the_table_can_be_dropped(
    home: Path, damage: Callable[[Path], None], words: str
) -> None:
    for path in (home / "warehouse" / "tables" / "shop" / "orders" / "metadata").glob("*.json"):
        path.unlink()
        if damage is Path.touch:
            path.touch()
    with pytest.raises(HomeError, match=rf"metadata file of shop\.orders {words}"):
        open_home(home).scan("shop.orders")
    open_home(home).drop("shop.orders")
    assert open_home(home).tables() == []
    assert open_home(home).define(ORDERS).created


def test_ten_thousand_landed_files_are_planned(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "orders"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number:05d}.csv").touch()
    catalog = open_home(tmp_path)
    catalog.define(TableDefinition("landing", "orders", ORDERS.columns, str(folder), "csv"))
    assert len(catalog.scan("landing.orders").files) == 10_000


def test_files_put_later_belong_to_the_table_read_in_place(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path, now)
    catalog = open_home(tmp_path)
    catalog.define(TableDefinition("landing", "orders", ORDERS.columns, lake.uri(Zone.LANDING, "orders"), "csv"))
    assert catalog.scan("landing.orders").files == ()
    lake.put(Zone.LANDING, "orders/a.csv", io.BytesIO(b"order_id\n1\n"))
    assert len(catalog.scan("landing.orders").files) == 1
