import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from nextbasket.errors import HomeError, InputError
from nextbasket.lake.base import Zone
from nextbasket.lake.local import LocalLake


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "shop", now)


def test_files_copied_in_by_hand_are_listed_and_hidden_ones_are_not(lake: LocalLake, tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "landing" / "orders"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / ".a.csv.Xy12").write_text("half a copy by rsync")
    (folder / ".git").mkdir()
    (folder / ".git" / "b.csv").write_text("2")
    assert [ref.key for ref in lake.list(Zone.LANDING)] == ["orders/a.csv"]


def test_a_name_may_have_a_line_break(lake: LocalLake) -> None:
    # Not in the suite of all lakes: moto's server routes no request with such a name.
    ref = lake.put(Zone.LANDING, "orders/new\nline.csv", io.BytesIO(b"1"))
    assert list(lake.list(Zone.LANDING)) == [ref]
    with lake.open(ref) as file:
        assert file.read() == b"1"


def test_linked_folders_are_followed_but_not_in_circles(lake: LocalLake, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "a.csv").write_text("1")
    landing = tmp_path / "shop" / "landing"
    landing.mkdir(parents=True)
    (landing / "orders").symlink_to(outside)
    assert [ref.key for ref in lake.list(Zone.LANDING)] == ["orders/a.csv"]
    (outside / "loop").symlink_to(outside)
    with pytest.raises(InputError, match="leads back"):
        list(lake.list(Zone.LANDING))


def test_a_link_to_nowhere_is_named_rather_than_skipped(lake: LocalLake, tmp_path: Path) -> None:
    landing = tmp_path / "shop" / "landing"
    landing.mkdir(parents=True)
    (landing / "orders.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(InputError, match=r"orders\.csv points nowhere"):
        list(lake.list(Zone.LANDING))


def test_a_name_that_is_not_utf8_is_named_rather_than_skipped(lake: LocalLake, tmp_path: Path) -> None:
    landing = tmp_path / "shop" / "landing"
    landing.mkdir(parents=True)
    (landing / os.fsdecode(b"caf\xe9.csv")).touch()
    with pytest.raises(InputError, match="not UTF-8"):
        list(lake.list(Zone.LANDING))


def test_a_name_that_engines_take_for_a_pattern_is_named_rather_than_misread(lake: LocalLake, tmp_path: Path) -> None:
    landing = tmp_path / "shop" / "landing"
    landing.mkdir(parents=True)
    (landing / "orders*.csv").touch()
    with pytest.raises(InputError, match=r"orders\*\.csv has one of the signs"):
        list(lake.list(Zone.LANDING))
    with pytest.raises(HomeError, match=r"shop \[new\] cannot have one of the signs"):
        LocalLake(tmp_path / "shop [new]", now)


def test_sweep_removes_uploads_that_were_killed_and_folders_it_empties(lake: LocalLake, tmp_path: Path) -> None:
    lake.put(Zone.LANDING, "orders/a.csv", io.BytesIO(b"1"))
    killed = tmp_path / "shop" / "landing" / "orders" / ".0123456789abcdef.part"
    killed.write_text("half")
    orphan = Path(lake.staging("r1")) / "deep" / "x.parquet"
    orphan.parent.mkdir()
    orphan.write_text("x")
    later = LocalLake(tmp_path / "shop", lambda: now() + timedelta(days=2))
    assert later.sweep(timedelta(days=1), ()) == sorted([str(killed), str(orphan)])
    assert not (tmp_path / "shop" / "warehouse" / "data" / "r1").exists()
    assert [ref.key for ref in lake.list(Zone.LANDING)] == ["orders/a.csv"]


@pytest.mark.slow
def test_ten_thousand_files_are_listed_in_order(lake: LocalLake, tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "landing" / "orders"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number:05d}.csv").touch()
    found = [ref.key for ref in lake.list(Zone.LANDING, "orders/")]
    assert found == [f"orders/{number:05d}.csv" for number in range(10_000)]


@pytest.mark.parametrize("name", ["a b.parquet", "100%25 #1.parquet", "größe'.parquet", "x=1;y&z,.parquet"])
def test_duckdb_opens_a_uri_as_it_is(lake: LocalLake, name: str) -> None:
    path = Path(lake.staging("r")) / name
    duckdb.sql("SELECT 42 AS answer").write_parquet(str(path))
    [ref] = lake.list(Zone.WAREHOUSE)
    assert duckdb.execute("SELECT answer FROM read_parquet(?)", [[ref.uri]]).fetchall() == [(42,)]


def test_a_full_disk_is_one_clear_sentence_and_leaves_nothing_behind(small_disk: Path) -> None:
    lake = LocalLake(small_disk, now)
    lake.put(Zone.LANDING, "small.csv", io.BytesIO(b"1"))
    with pytest.raises(HomeError, match=r"the disk is full: cannot write .*big\.csv; free some space"):
        lake.put(Zone.LANDING, "big.csv", io.BytesIO(b"x" * (2 << 20)))
    assert sorted(path.name for path in (small_disk / "landing").iterdir()) == ["small.csv"]
    lake.put(Zone.LANDING, "medium.csv", io.BytesIO(b"x" * (1 << 19)))


def test_a_read_only_home_is_one_clear_sentence(
    read_only: tuple[Path, Callable[[], AbstractContextManager[None]]],
) -> None:
    home, sealed = read_only
    lake = LocalLake(home, now)
    ref = lake.put(Zone.LANDING, "orders.csv", io.BytesIO(b"1"))
    refused = r"(the file system is read-only|permission denied): cannot (write|delete) .*kept"
    with sealed():
        assert list(lake.list(Zone.LANDING)) == [ref]
        with pytest.raises(HomeError, match=refused):
            lake.put(Zone.LANDING, "a.csv", io.BytesIO(b"1"))
        with pytest.raises(HomeError, match=refused):
            lake.staging("r")
        with pytest.raises(HomeError, match=refused):
            lake.delete(ref)
