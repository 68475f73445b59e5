"""A forgotten shopper is gone from every table, version and file, does not come back, and nobody else is touched."""

import gzip
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.database import CatalogDatabase
from nextbasket.definitions.store import Definitions
from nextbasket.errors import NotFoundError
from nextbasket.ingest.forget import LOG, ForgetReport, Forgetter
from nextbasket.lake.base import Zone
from nextbasket.query.history import QueryHistory

LATER_ORDERS = (
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
    "5,7,test,3,2,9,7.0\n6,9,prior,1,2,9,\n7,9,train,2,2,25,1.0\n8,7,prior,4,2,99,1.0\n9,7\n"
)
LATER_LINES = "order_id,product_id,add_to_cart_order,reordered\n6,11,1,0\n5,10,1,1\n2,11,2,1\n"


def forgetter(home: Any) -> Forgetter:
    definitions = Definitions(home.path / "definitions")
    return Forgetter(home.path, home.lake, home.catalog, home.workgroup, definitions, home.clock)


def forget(home: Any, shopper: str) -> ForgetReport:
    return forgetter(home).forget(shopper)


def tables(home: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every Iceberg table."""
    return {
        one.full_name: sorted(home.rows(f"SELECT * FROM {one.full_name}"), key=repr)  # noqa: S608 - names of tables
        for one in home.catalog.tables()
        if one.format == "iceberg"
    }


def every_row(home: Any) -> list[dict[str, Any]]:
    """Return the rows of every Parquet file there is in the home, of whatever version."""
    return [row for path in home.path.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]


def fill(home: Any, shop: dict[str, str | bytes]) -> None:
    """Load a shop and a later delivery, with features and predictions made from it, and an export."""
    home.take(shop)
    home.take({"orders.csv": LATER_ORDERS, "order_products.csv.gz": gzip.compress(LATER_LINES.encode())})
    home.workgroup.materialise(
        "SELECT user_id, COUNT(*) AS orders FROM shop.orders GROUP BY user_id", "features.users", run_id="f1"
    )
    home.workgroup.materialise(
        "SELECT o.user_id, l.product_id FROM shop.orders AS o JOIN shop.order_products AS l ON l.order_id = o.order_id",
        "results.predictions",
        run_id="p1",
    )
    export = io.BytesIO(b"user_id,product_id\n7,10\n8,10\n")
    home.lake.put(Zone.RESULTS, "baskets.csv", export)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a place for one filled home and a copy of it: making it takes longer than most of these tests."""
    return {"folder": tmp_path_factory.mktemp("forget")}


@pytest.fixture
def filled(kept: dict[str, Any], make_home: Callable[[Path], Any], shop: dict[str, str | bytes]) -> Any:
    """Return a filled home as it was when it was filled; it keeps its path, which Iceberg's files name."""
    if "home" not in kept:
        home = kept["home"] = make_home(kept["folder"])
        fill(home, shop)
        shutil.copytree(home.path, kept["folder"] / "copy")
    restore(kept["home"], kept)
    return kept["home"]


def restore(home: Any, kept: dict[str, Any]) -> None:
    shutil.rmtree(home.path)
    shutil.copytree(kept["folder"] / "copy", home.path)


def test_every_line_of_a_shopper_goes_and_no_other(filled: Any) -> None:
    home = filled
    before = tables(home)
    assert before["features.users"] == [(7, 3), (8, 2), (9, 1)]
    times = {ref.key: ref.modified for ref in home.lake.list(Zone.LANDING)}
    report = forget(home, "7")
    theirs = {1, 2, 5}
    assert report.proof.complete
    assert report.orders >= len(theirs)
    after = tables(home)
    assert set(after) == set(before)
    for name in ("shop.orders", "shop.order_products", "shop.order_products_prior"):
        assert after[name] == [row for row in before[name] if row[0] not in theirs], name
    assert after["features.users"] == [(8, 2), (9, 1)]
    assert after["results.predictions"] == [row for row in before["results.predictions"] if row[0] != 7]
    assert after["shop.products"] == before["shop.products"]
    assert report.tables == {
        name: len(before[name]) - len(after[name]) for name in before if before[name] != after[name]
    }
    assert not [row for row in every_row(home) if row.get("user_id") == 7 or row.get("order_id") in theirs]

    landing = home.path / "landing"
    assert (landing / "orders/orders.csv").read_text() == (
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
        "3,8,prior,1,6,23,\n4,8,test,2,5,0,30.0\n"
    )
    (later,) = (landing / "orders").glob("orders-*.csv")
    assert later.read_text().splitlines()[1:] == ["6,9,prior,1,2,9,", "7,9,train,2,2,25,1.0"]
    (lines,) = (landing / "order_products").iterdir()
    assert gzip.decompress(lines.read_bytes()).decode().splitlines()[1:] == ["6,11,1,0"]
    assert {ref.modified for ref in home.lake.list(Zone.LANDING)} == set(times.values())
    assert (home.path / "results/baskets.csv").read_text() == "user_id,product_id\n8,10\n"
    quarantined = [(row["line"], row["raw"]) for row in home.quarantined("orders")]
    assert quarantined == [("3", "7,9,train,2,2,25,1.0")]
    assert all(len(home.catalog.snapshots(name)) == 1 for name in after if name != "shop.products")


def test_the_next_load_finds_nothing_new(filled: Any) -> None:
    home = filled
    forget(home, "7")
    before = tables(home)
    snapshots = {name: home.catalog.scan(name).snapshot_id for name in before}
    home.crawl()
    report = home.load()
    assert report.files == ()
    assert not report.changed
    assert tables(home) == before
    assert {name: home.catalog.scan(name).snapshot_id for name in before} == snapshots


def test_the_ledger_counts_what_is_left_of_each_file(filled: Any) -> None:
    home = filled
    forget(home, "7")
    latest = {file.key: file for file in home.catalog.ledger("shop.orders")}
    (later,) = [
        key
        for key in latest
        if re.match(r"orders/orders-[0-9a-f]{10}\.csv", key) and (home.path / "landing" / key).exists()
    ]
    assert (latest["orders/orders.csv"].accepted, latest["orders/orders.csv"].quarantined) == (2, 0)
    assert (latest[later].accepted, latest[later].merged, latest[later].quarantined) == (1, 0, 1)


def test_the_same_lines_delivered_again_bring_nobody_back(filled: Any, shop: dict[str, str | bytes]) -> None:
    home = filled
    forget(home, "7")
    before = tables(home)
    again = str(shop["orders.csv"]) + "77,7,prior,9,1,1,1.0\n"
    lines = str(shop["order_products__prior.csv"]) + "77,10,1,1\n77,11,2,1\n"
    report = home.take({"orders.csv": again, "order_products__prior.csv": lines})
    assert tables(home) == before
    dropped = {file.key.partition("/")[0]: dict(file.dropped) for file in report.files}
    assert dropped["orders"] == {"forgotten shopper": 3}
    assert dropped["order_products__prior"] == {"forgotten shopper": 4}
    assert len(home.quarantined("orders")) == 1
    assert home.quarantined("order_products") == []
    # The raw lines are in landing again until they are forgotten there, too.
    assert forget(home, "7").proof.complete
    assert tables(home) == before
    assert "\n1,7," not in "".join(path.read_text() for path in (home.path / "landing/orders").iterdir())


def test_nothing_in_the_home_says_who_was_forgotten(home: Any, shop: dict[str, str | bytes]) -> None:
    named = {
        name: re.sub(r"(?m)^(\d+),7,", r"\1,anna-77,", str(text)) if name == "orders.csv" else text
        for name, text in shop.items()
    }
    fill(home, named)
    history = QueryHistory(CatalogDatabase(home.path / "catalog.db"), home.clock)
    for name, statement in (
        ("q1", "SELECT * FROM orders WHERE user_id = 'anna-77'"),
        ("q2", "SELECT COUNT(*) FROM orders"),
    ):
        history.begin(name, statement, "duckdb")
    (home.path / "landing/orders/.0123456789abcdef.part").write_text("order_id,user_id\n1,anna-77\n2,an")
    report = forget(home, "anna-77")
    assert report.proof.complete
    assert [query.query_id for query in history.newest()] == ["q2"]
    for path in home.path.rglob("*"):
        assert not path.is_file() or b"anna" not in path.read_bytes(), path
    (home.path / "notes.txt").write_text("call anna-77 back")
    assert dict(forget(home, "anna-77").proof.left) == {"notes.txt": 1}
    (home.path / "notes.txt").unlink()
    assert "anna" not in (home.catalog.state("forgotten") or "")
    bounds = [
        bound["value"]
        for path in home.path.rglob("*-m*.avro")
        for entry in fastavro.reader(io.BytesIO(path.read_bytes()))
        for side in ("lower_bounds", "upper_bounds")
        for bound in entry["data_file"][side]
    ]
    assert b"8" in bounds
    assert b"anna-77" not in bounds
    log = [json.loads(line) for line in (home.path / LOG).read_text().splitlines()]
    assert [(line["rows"], line["left"]) for line in log] == [(sum(report.tables.values()), 0), (0, 1)]
    assert "anna" not in json.dumps(report.as_json())
    assert not (home.path / "forgetting").exists()


def test_who_is_not_there_cannot_be_forgotten(filled: Any) -> None:
    home = filled
    before = {path: path.read_bytes() for path in home.path.rglob("*.csv")}
    for unknown in ("4711", "anna", ""):
        with pytest.raises(NotFoundError, match="there is no shopper"):
            forget(home, unknown)
    assert {path: path.read_bytes() for path in home.path.rglob("*.csv")} == before
    assert not (home.path / LOG).exists()


def test_forgetting_twice_says_so_and_changes_nothing(filled: Any) -> None:
    home = filled
    forget(home, "7")
    before = tables(home)
    again = forget(home, "7")
    assert again.again
    assert (dict(again.tables), dict(again.lines), again.proof.complete) == ({}, {}, True)
    assert tables(home) == before


def test_an_order_that_became_another_s_stays(home: Any, shop: dict[str, str | bytes]) -> None:
    home.take(shop)
    home.take({"orders.csv": str(shop["orders.csv"]).replace("\n1,7,prior,1", "\n1,8,prior,5")})
    forget(home, "7")
    assert home.rows("SELECT order_id, user_id FROM shop.orders ORDER BY order_id") == [(1, 8), (3, 8), (4, 8)]
    assert home.rows("SELECT COUNT(*) FROM shop.order_products WHERE order_id = 1") == [(2,)]
    for path in (home.path / "landing/orders").iterdir():
        assert ",7," not in path.read_text()


def test_waiting_lines_and_corrections_go_on_as_before(filled: Any) -> None:
    home = filled
    # Order 8 of shopper 7 is quarantined, order 60 has not come yet: the lines of both wait.
    lines = "order_id,product_id,add_to_cart_order,reordered\n8,10,1,0\n60,11,1,0\n3,11,2,0\n"
    home.take({"order_products_2026-11-02.csv": lines})
    assert sorted(row["raw"] for row in home.quarantined("order_products")) == ["60,11,1,0", "8,10,1,0"]
    assert forget(home, "7").proof.complete
    waiting = [(row["file"], row["line"], row["raw"]) for row in home.quarantined("order_products")]
    assert waiting == [("landing/order_products/order_products_2026-11-02.csv", "2", "60,11,1,0")]
    assert home.load().files == ()
    orders = "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
    home.take({"orders_2026-11-03.csv": f"{orders}60,8,prior,3,1,1,1.0\n"})
    assert home.rows("SELECT product_id FROM shop.order_products WHERE order_id = 60") == [(11,)]
    # The file comes corrected: what it no longer has is withdrawn, as ever.
    home.take({"order_products_2026-11-02.csv": "order_id,product_id,add_to_cart_order,reordered\n60,10,1,0\n"})
    assert home.rows(
        "SELECT order_id, product_id FROM shop.order_products WHERE order_id IN (3, 60) ORDER BY 1, 2"
    ) == [
        (3, 10),
        (60, 10),
    ]


STEPS = (
    ("lake", "put"),
    ("lake", "delete"),
    ("lake", "set_modified"),
    ("catalog", "commit"),
    ("catalog", "expire"),
    ("catalog", "set_state"),
    ("forgetter", "_write"),
    ("forgetter", "_log"),
)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing in nextbasket catches it."""


def killed_at(home: Any, at: int, *, after: bool) -> bool:
    """Forget shopper 7 and end it at its step ``at``, just before the step or just after it; False past the last."""
    work = forgetter(home)
    owners = {"lake": work._lake, "catalog": work._catalog, "forgetter": work}
    done = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == at and not after:
                raise Killed
            result = call(*arguments, **named)
            if done == at:
                raise Killed
            return result

        return step

    for owner, name in STEPS:
        setattr(owners[owner], name, counted(getattr(owners[owner], name)))
    try:
        work.forget("7")
    except Killed:
        return True
    return False


def state_of(home: Any) -> dict[str, Any]:
    """Return all that must not depend on kills."""
    files = {
        str(path.relative_to(home.path)): path.read_bytes()
        for zone in ("landing", "quarantine", "results")
        for path in (home.path / zone).rglob("*")
        if path.is_file()
    }
    times = {ref.key: ref.modified for ref in home.lake.list(Zone.LANDING)}
    ledger = {
        (file.table, file.key, file.accepted, file.merged, file.quarantined)
        for file in home.catalog.ledger()
        if (home.path / "landing" / file.key).exists()
    }
    return {"tables": tables(home), "files": files, "times": times, "ledger": ledger}


def check_kill(filled: Any, expected: dict[str, Any], at: int, *, after: bool) -> bool:
    ended = killed_at(filled, at, after=after)
    if ended:
        report = forget(filled, "7")
        assert report.proof.complete, (at, after)
        assert state_of(filled) == expected, (at, after)
        assert not (filled.path / "forgetting").exists()
        rows = sum(line["rows"] for line in map(json.loads, (filled.path / LOG).read_text().splitlines()))
        assert rows >= sum(report.tables.values())
        assert filled.load().files == ()
    return ended


@pytest.mark.parametrize("at", [2, 7, 12])
def test_killed_anywhere_the_next_one_finishes(filled: Any, kept: dict[str, Any], at: int) -> None:
    if "undisturbed" not in kept:
        forget(filled, "7")
        kept["undisturbed"] = state_of(filled)
        restore(filled, kept)
    assert check_kill(filled, kept["undisturbed"], at, after=at % 2 == 0)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_after_every_step_the_next_one_finishes(filled: Any, kept: dict[str, Any]) -> None:
    forget(filled, "7")
    expected = state_of(filled)
    at = 0
    ended = True
    while ended:
        at += 1
        restore(filled, kept)
        ended = check_kill(filled, expected, at, after=True)
        print(f"killed after step {at}: {ended}")  # noqa: T201 - the soak's progress
    assert at > 15


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_real_kill_at_any_moment_loses_nothing(filled: Any, kept: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "nextbasket", "--home", str(filled.path), "forget", "--shopper", "7"]
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    needed = time.monotonic() - began
    expected = state_of(filled)
    seeded = random.Random(7)  # noqa: S311 - moments, not secrets
    kills = 0
    while kills < int(os.environ.get("NEXTBASKET_KILLS", "20")):
        restore(filled, kept)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seeded.uniform(0.3, 1.1) * needed)
            continue
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        subprocess.run(command, check=True, capture_output=True)
        assert state_of(filled) == expected, kills
        assert not [path for path in filled.path.rglob("*.part") if "landing" in path.parts]


def test_a_shop_s_own_files_are_searched_as_its_mappings_read_them(home: Any) -> None:
    folder = home.path / "definitions" / "mappings"
    folder.mkdir(parents=True)
    (folder / "orders.sql").write_text(
        'WITH sold AS (SELECT invoice AS nr, CAST(CAST("customer id" AS double) AS bigint) AS who FROM landing.sales)\n'
        "SELECT nr AS order_id, MIN(who) AS user_id, CAST(SUBSTR(nr, 2) AS bigint) AS order_number FROM sold\n"
        "WHERE who IS NOT NULL AND nr NOT LIKE 'C%' GROUP BY nr"
    )
    (folder / "order_products.sql").write_text(
        "SELECT invoice AS order_id, code AS product_id,\n"
        "CASE WHEN invoice LIKE 'C%' THEN 'cancelled' WHEN \"customer id\" IS NULL THEN 'no customer' END\n"
        "AS dropped_reason FROM landing.sales"
    )
    (folder / "products.sql").write_text("SELECT DISTINCT code AS product_id, code AS product_name FROM landing.sales")
    sales = "invoice,code,customer id\nA1,x,13.0\nA2,x,7.0\nA2,y,7\nC3,x,7.0\nA4,y,\nA5,y,77.0\n"
    home.land(home.source({"sales.csv": sales}))
    home.crawl()
    home.load()
    assert home.rows("SELECT COUNT(*) FROM shop.order_products") == [(4,)]
    report = forget(home, "7")
    assert report.proof.complete
    assert (home.path / "landing/sales/sales.csv").read_text() == (
        "invoice,code,customer id\nA1,x,13.0\nA4,y,\nA5,y,77.0\n"
    )
    assert home.rows("SELECT order_id FROM shop.orders ORDER BY order_id") == [("A1",), ("A5",)]
    home.crawl()
    home.load()
    assert home.rows("SELECT order_id FROM shop.orders ORDER BY order_id") == [("A1",), ("A5",)]
    assert home.rows("SELECT order_id, product_id FROM shop.order_products ORDER BY order_id") == [
        ("A1", "x"),
        ("A5", "y"),
    ]
