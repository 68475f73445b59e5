"""What every lake does. To run it over another adapter, add it to ADAPTERS and to ``maker``."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbasket.errors import InputError, NotFoundError
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.lake.local import LocalLake
from nextbasket.lake.s3 import S3Lake, places

Clock = Callable[[], datetime]
Make = Callable[[Path, Clock], Lake]
ADAPTERS = ("local", "s3")


def maker(adapter: str, request: pytest.FixtureRequest) -> Make:
    """Return what makes an adapter over an empty store; the fixture of moto's server is only asked for where needed."""
    if adapter == "local":
        return LocalLake
    server = request.getfixturevalue("aws")
    return lambda _, clock: S3Lake(server.access, places(server.bucket(), "a shop"), clock)


class SetClock:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=ADAPTERS)
def lake(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Lake:
    return maker(request.param, request)(tmp_path / "shop", clock)


def put(lake: Lake, key: str, content: bytes = b"x", zone: Zone = Zone.LANDING) -> FileRef:
    return lake.put(zone, key, io.BytesIO(content))


def keys(lake: Lake, prefix: str = "", zone: Zone = Zone.LANDING) -> list[str]:
    return [ref.key for ref in lake.list(zone, prefix)]


def read(lake: Lake, ref: FileRef) -> bytes:
    with lake.open(ref) as file:
        return file.read()


ODD_KEYS = [
    "orders/day 1/a b.csv",
    'orders/it\'s "quoted".csv',
    "größe/価格表/😀.csv",
    "orders/100%25 #1!.csv",
    "orders/day=2024-05-01/part (1)~+@.csv",
    "orders/a;b&c=d,e.csv",
    "orders/back\\slash.csv",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_file_comes_back_as_it_was_put(lake: Lake, key: str) -> None:
    ref = put(lake, key, b"order_id\n1\n")
    assert (ref.zone, ref.key, ref.size) == (Zone.LANDING, key, 11)
    assert ref.modified.tzinfo is not None
    assert list(lake.list(Zone.LANDING)) == [ref]
    assert read(lake, ref) == b"order_id\n1\n"
    assert lake.locate(ref.uri) == (Zone.LANDING, key)
    assert lake.uri(Zone.LANDING, key) == ref.uri


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a/.hidden",
        "nul\0",
        "\udcff.csv",
        "a*.csv",
        "b?/c.csv",
        "d[1].csv",
        "{e}.csv",
    ],
)
def test_a_key_that_names_no_file_of_the_zone_is_refused(lake: Lake, key: str) -> None:
    with pytest.raises(InputError, match="cannot be a key"):
        put(lake, key)


def test_a_key_put_again_is_replaced(lake: Lake) -> None:
    put(lake, "a.csv", b"old")
    put(lake, "a.csv", b"newer")
    [ref] = lake.list(Zone.LANDING)
    assert ref.size == 5
    assert read(lake, ref) == b"newer"


def test_an_upload_that_fails_leaves_the_old_file(lake: Lake) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise ConnectionError("gone")
            return super().read(min(size or 10, 10))

    put(lake, "a.csv", b"old")
    with pytest.raises(ConnectionError):
        lake.put(Zone.LANDING, "a.csv", Broken(b"n" * 100))
    [ref] = lake.list(Zone.LANDING)
    assert read(lake, ref) == b"old"


def test_an_upload_is_seen_only_when_it_is_whole(lake: Lake) -> None:
    seen: list[list[str]] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.append(keys(lake))
            return super().read(min(size or 2, 2))

    lake.put(Zone.LANDING, "a.csv", Watched(b"1234"))
    assert seen == [[], [], []]
    assert keys(lake) == ["a.csv"]


def test_listing_is_ordered_by_key_and_stays_in_its_zone(lake: Lake) -> None:
    # Byte order: "-" and "." come before "/", so files and folders of like names interleave.
    names = ["orders/b.csv", "orders.csv", "orders-old/a.csv", "orders/a/z.csv", "orders/a.csv", "orders0.csv", "Z.csv"]
    for name in names:
        put(lake, name)
    put(lake, "orders/exported.csv", zone=Zone.RESULTS)
    assert keys(lake) == sorted(names)
    assert keys(lake, "orders/") == ["orders/a.csv", "orders/a/z.csv", "orders/b.csv"]
    assert keys(lake, "orders/a") == ["orders/a.csv", "orders/a/z.csv"]
    assert keys(lake, "orders") == sorted(name for name in names if name.startswith("orders"))
    assert keys(lake, "nothing/here") == []


NAMES = st.lists(st.text("ab.-_ é", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@settings(max_examples=20, deadline=None)
@given(
    names=st.sets(
        st.lists(st.text("ab.-_ é", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join), max_size=8
    ),
    prefix=st.text("ab./", max_size=3),
)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_listing_equals_filtering_and_sorting_all_keys(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    adapter: str,
    names: set[str],
    prefix: str,
) -> None:
    lake = maker(adapter, request)(tmp_path_factory.mktemp("shop"), SetClock())
    stored = []
    for name in sorted(names):
        parts = name.split("/")
        if any(part.startswith(".") for part in parts):
            continue
        if any(other.startswith(name + "/") or name.startswith(other + "/") for other in stored):
            continue  # a file cannot be a folder too
        put(lake, name)
        stored.append(name)
    if any(part.startswith(".") for part in prefix.split("/")) or prefix.startswith("/") or "//" in prefix:
        return
    assert keys(lake, prefix) == sorted(name for name in stored if name.startswith(prefix))


def test_a_stored_file_is_read_from_anywhere(lake: Lake) -> None:
    # Larger than any buffer in between, so that seeking back and forth crosses their ends.
    content = bytes(range(256)) * 5_000
    ref = put(lake, "numbers.bin", content)
    with lake.open(ref) as file:
        assert (file.readable(), file.seekable()) == (True, True)
        assert file.seek(-4, io.SEEK_END) == len(content) - 4
        assert file.read() == content[-4:]
        assert file.read(1) == b""
        for position in (700_000, 3, 262_143, 0, len(content) + 5):
            file.seek(position)
            assert file.read(70_000) == content[position : position + 70_000]
        file.seek(0)
        assert b"".join(iter(lambda: file.read(99_991), b"")) == content


def test_arrow_writes_and_reads_what_is_staged(lake: Lake) -> None:
    uri = f"{lake.staging('a run')}/part 0.parquet"
    filesystem, path = lake.filesystem(uri)
    pq.write_table(pa.table({"order_id": [1, 2]}), path, filesystem=filesystem)
    zone, key = lake.locate(uri)
    assert (zone, keys(lake, zone=zone)) == (Zone.WAREHOUSE, [key])
    assert pq.read_table(path, filesystem=filesystem).to_pydict() == {"order_id": [1, 2]}
    [ref] = lake.list(Zone.WAREHOUSE)
    with lake.open(ref) as file:
        assert pq.read_table(file).to_pydict() == {"order_id": [1, 2]}


def test_a_deleted_file_is_gone_and_deleting_it_again_is_no_error(lake: Lake) -> None:
    ref = put(lake, "a.csv")
    lake.delete(ref)
    lake.delete(ref)
    assert keys(lake) == []
    with pytest.raises(NotFoundError, match=r"a\.csv"):
        lake.open(ref)


def test_locate_refuses_what_is_outside(lake: Lake) -> None:
    assert lake.locate(lake.uri(Zone.LANDING)) == (Zone.LANDING, "")
    assert lake.locate(lake.uri(Zone.LANDING) + "/orders/") == (Zone.LANDING, "orders")
    with pytest.raises(NotFoundError, match="landing"):
        lake.locate(lake.uri(Zone.LANDING) + "/../secret.csv")
    with pytest.raises(NotFoundError, match="not in the lake"):
        lake.locate("/etc/passwd")


def test_staging_is_a_fresh_folder_each_time_whatever_the_run_id(lake: Lake) -> None:
    for run_id in ("run-1", "run-1", "load:2024-05-01T00:00/../../x", "", "…", "x" * 500):
        uri = lake.staging(run_id)
        zone, key = lake.locate(uri)
        assert zone is Zone.WAREHOUSE
        assert keys(lake, key + "/", Zone.WAREHOUSE) == []
    assert lake.staging("run-1") != lake.staging("run-1")


def test_sweep_deletes_the_old_that_nobody_keeps(lake: Lake, clock: SetClock) -> None:
    staged = lake.locate(lake.staging("r"))[1]
    kept = put(lake, f"{staged}/kept.parquet", zone=Zone.WAREHOUSE)
    orphan = put(lake, f"{staged}/orphan.parquet", zone=Zone.WAREHOUSE)
    landed = put(lake, "orders/old.csv")
    assert list(lake.sweep(timedelta(days=1), {kept.uri})) == []
    clock.now += timedelta(days=2)
    assert list(lake.sweep(timedelta(days=1), [kept.uri])) == [orphan.uri]
    assert [ref.uri for ref in lake.list(Zone.WAREHOUSE)] == [kept.uri]
    assert list(lake.list(Zone.LANDING)) == [landed]


def test_sweep_leaves_a_fresh_staging_folder_usable(lake: Lake) -> None:
    staged = lake.staging("r")
    lake.sweep(timedelta(hours=1), ())
    written = put(lake, f"{lake.locate(staged)[1]}/a.parquet", zone=Zone.WAREHOUSE)
    assert written.uri == f"{staged}/a.parquet"
