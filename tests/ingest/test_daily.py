"""Daily files: corrections take the place of what they correct, early lines wait, late ones go where they belong."""

from typing import Any

import pytest

HEADER = "order_id,user_id,order_number,order_dow\n"
LINES = "order_id,product_id,add_to_cart_order\n"
BASE = {
    "products.csv": "product_id,product_name\n10,Milk\n11,Bread\n12,Jam\n",
    "orders.csv": HEADER + "1,7,1,0\n",
    "order_products.csv": LINES + "1,10,1\n",
}
FIRST, SECOND = "orders_2026-11-01.csv", "order_products/2026-11-01.csv"


def orders(home: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = home.rows("SELECT order_id, eval_set, order_dow FROM shop.orders ORDER BY 1")
    return rows


def lines(home: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = home.rows(
        "SELECT order_id, product_id, add_to_cart_order FROM shop.order_products ORDER BY 1, 2"
    )
    return rows


def prior(home: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = home.rows(
        "SELECT order_id, product_id, add_to_cart_order FROM shop.order_products_prior ORDER BY 1, 2"
    )
    return rows


def counted(home: Any, table: str) -> int:
    """What the ledger and the commits say together about the rows of a table."""
    accepted = sum(file.accepted for file in home.catalog.ledger(f"shop.{table}"))
    gone = sum(int(one.summary.get("nextbasket.withdrawn", 0)) for one in home.catalog.snapshots(f"shop.{table}"))
    return int(accepted) - gone


def test_rows_that_a_corrected_file_no_longer_has_leave_the_table(home: Any) -> None:
    home.take(BASE)
    home.take({FIRST: HEADER + "2,7,2,1\n3,8,1,5\n", SECOND: LINES + "2,10,1\n2,11,2\n3,12,1\n"})
    report = home.take({FIRST: HEADER + "2,7,2,6\n", SECOND: LINES + "2,11,1\n"})

    assert orders(home) == [(1, "prior", 0), (2, "train", 6)]
    assert lines(home) == [(1, 10, 1), (2, 11, 1)]
    assert prior(home) == [(1, 10, 1)]
    assert "orders: 1 rows left it that corrected files no longer have" in report.notes
    assert (counted(home, "orders"), counted(home, "order_products")) == (2, 2)
    assert not home.load().changed


@pytest.mark.slow
def test_a_withdrawn_row_gives_way_to_what_another_file_said_before(home: Any) -> None:
    home.take(BASE)
    home.take({FIRST: HEADER + "1,7,1,3\n2,7,2,1\n", SECOND: LINES + "1,10,4\n2,10,1\n"})
    assert (orders(home)[0], lines(home)[0]) == ((1, "prior", 3), (1, 10, 4))
    home.take({FIRST: HEADER + "2,7,2,1\n", SECOND: LINES + "2,10,1\n"})

    assert orders(home) == [(1, "prior", 0), (2, "train", 1)]
    assert lines(home) == [(1, 10, 1), (2, 10, 1)]
    assert prior(home) == [(1, 10, 1)]


@pytest.mark.slow
def test_a_correction_in_the_same_load_as_what_it_corrects(home: Any, fates: Any) -> None:
    home.land(home.source(BASE))
    home.land(home.source({FIRST: HEADER + "2,7,2,1\n3,8,1,x\n"}))
    home.land(home.source({FIRST: HEADER + "2,7,2,4\n"}))
    report = home.load()

    found = fates(report, f"orders/{FIRST}")
    (corrected,) = [file.key for file in report.files if file.key.startswith("orders/orders_2026-11-01-")]
    assert (found.records, found.accepted, found.dropped) == (2, 0, {f"corrected by landing/{corrected}": 2})
    assert orders(home) == [(1, "train", 0), (2, "test", 4)]


@pytest.mark.slow
def test_a_header_alone_withdraws_all_and_an_empty_upload_nothing(home: Any) -> None:
    home.take(BASE)
    home.take({"orders_2026-11-09.csv": HEADER})
    home.take({FIRST: HEADER + "2,7,2,1\n"})
    home.take({FIRST: ""})
    assert [row[0] for row in orders(home)] == [1, 2]
    # The same content as that of the 9th: it corrects the 1st all the same.
    home.take({FIRST: HEADER})
    assert [row[0] for row in orders(home)] == [1]


@pytest.mark.slow
def test_a_name_without_a_date_withdraws_nothing(home: Any) -> None:
    home.take(BASE)
    home.take({"orders.csv": HEADER + "2,7,2,1\n"})

    assert [row[0] for row in orders(home)] == [1, 2]


@pytest.mark.slow
def test_lines_that_come_before_their_order_wait_for_it(home: Any) -> None:
    home.take(BASE)
    early = home.take({SECOND: LINES + "5,10,1\n5,11,2\n6,12,1\n5,x,1,1\n"})
    assert (early.lines["accepted"], early.lines["quarantined"]) == (0, 4)
    assert [row["line"] for row in home.quarantined("order_products")] == ["5", "2", "3", "4"]
    # The last delivered wins, also among lines that wait.
    home.take({"order_products/2026-11-02.csv": LINES + "5,11,7\n"})
    report = home.take({FIRST: HEADER + "5,7,2,1\n"})

    assert lines(home) == [(1, 10, 1), (5, 10, 1), (5, 11, 7)]
    assert {(file.key, file.accepted, file.merged, file.quarantined) for file in report.files} == {
        (f"orders/{FIRST}", 1, 0, 0),
        ("order_products/2026-11-01.csv", 2, 0, -2),
        ("order_products/2026-11-02.csv", 0, 1, -1),
    }
    assert [row["raw"] for row in home.quarantined("order_products")] == ["5,x,1,1", "6,12,1"]
    assert home.rows("SELECT COUNT(*) FROM quarantine.order_products") == [(2,)]
    assert counted(home, "order_products") == 3
    (sha256,) = {file.sha256 for file in report.files if file.key == "order_products/2026-11-01.csv"}
    settled = home.catalog.ingested(sha256, "shop.order_products")
    assert [settled[name] for name in ("accepted", "merged", "quarantined")] == ["2", "0", "2"]
    assert prior(home) == [(1, 10, 1)]
    assert not home.load().changed
    home.take({"orders_2026-11-03.csv": HEADER + "6,9,1,1\n"})
    assert lines(home)[-1] == (6, 12, 1)
    assert [row["raw"] for row in home.quarantined("order_products")] == ["5,x,1,1"]


@pytest.mark.slow
def test_lines_of_an_order_that_is_withdrawn_wait_for_it_again(home: Any) -> None:
    home.take(BASE)
    home.take({FIRST: HEADER + "2,7,2,1\n3,8,1,1\n", SECOND: LINES + "2,10,1\n3,10,1\n"})
    home.take({FIRST: HEADER + "3,8,1,1\n"})
    assert lines(home) == [(1, 10, 1), (3, 10, 1)]
    assert [row["raw"] for row in home.quarantined("order_products")] == ["2,10,1"]

    home.take({"orders_2026-11-05.csv": HEADER + "2,7,2,1\n"})
    assert lines(home) == [(1, 10, 1), (2, 10, 1), (3, 10, 1)]
    assert home.quarantined("order_products") == []
    assert prior(home) == [(1, 10, 1)]
    assert counted(home, "order_products") == 3


@pytest.mark.slow
def test_a_load_killed_between_withdrawing_orders_and_their_lines_is_finished(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nextbasket.ingest import shop as room

    home.take(BASE)
    home.take({FIRST: HEADER + "2,7,2,1\n3,8,1,1\n", SECOND: LINES + "2,10,1\n3,10,1\n"})
    home.land(home.source({FIRST: HEADER + "3,8,1,1\n"}))
    real = room.Shop.commit

    def dying(self: Any, pending: Any, run_id: str) -> Any:
        if pending.table == "order_products":
            raise KeyboardInterrupt
        return real(self, pending, run_id)

    with monkeypatch.context() as patch:
        patch.setattr(room.Shop, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            home.load("killed")
    home.load("killed")
    assert lines(home) == [(1, 10, 1), (3, 10, 1)]
    assert [row["raw"] for row in home.quarantined("order_products")] == ["2,10,1"]


@pytest.mark.slow
def test_what_cannot_be_looked_up_any_more_stays(home: Any) -> None:
    home.take(BASE)
    home.take({FIRST: HEADER + "2,7,2,1\n3,8,1,1\n"})
    (home.path / "landing/orders/orders.csv").unlink()
    report = home.take({FIRST: HEADER + "2,7,2,5\n"})

    assert orders(home) == [(1, "train", 0), (2, "test", 5), (3, "test", 1)]
    assert any("landing/orders/orders.csv, loaded earlier, is no longer there" in note for note in report.notes)


@pytest.mark.slow
@pytest.mark.parametrize("own_id", [True, False])
def test_a_load_that_another_one_overtakes_computes_again(
    home: Any, monkeypatch: pytest.MonkeyPatch, own_id: bool
) -> None:
    from nextbasket.ingest import shop as room

    home.take(BASE)
    home.land(home.source({FIRST: HEADER + "2,7,2,1\n", SECOND: LINES + "2,10,1\n9,9,9\n"}))
    real = room.Shop.commit
    overtaken: list[str] = []

    def late(self: Any, pending: Any, run_id: str) -> Any:
        if len(overtaken) < 2 and pending.table == ("orders", "order_products")[len(overtaken)]:
            overtaken.append(pending.table)
            day = f"2026-11-1{len(overtaken)}"
            more = {f"orders_{day}.csv": HEADER + f"{len(overtaken) + 20},8,{len(overtaken)},1\n"}
            more[f"order_products/{day}.csv"] = LINES + f"{len(overtaken) + 20},11,1\n"
            home.land(home.source(more))
            home.load("slow" if own_id else f"other-{len(overtaken)}")
        return real(self, pending, run_id)

    with monkeypatch.context() as patch:
        patch.setattr(room.Shop, "commit", late)
        home.load("slow")
    assert [row[0] for row in orders(home)] == [1, 2, 21, 22]
    assert [row[:2] for row in lines(home)] == [(1, 10), (2, 10), (21, 11), (22, 11)]
    assert [row[:2] for row in prior(home)] == [(1, 10), (21, 11)]
    assert (counted(home, "orders"), counted(home, "order_products")) == (4, 4)
    assert not home.load().changed


@pytest.mark.slow
def test_an_increment_leaves_the_data_files_alone_that_it_does_not_touch(home: Any) -> None:
    home.take({**BASE, "orders.csv": HEADER + "1,7,1,0\n4,7,2,0\n", "order_products.csv": LINES + "1,10,1\n4,11,1\n"})
    tables = ("orders", "order_products", "order_products_prior")
    before = {table: set(home.catalog.scan(f"shop.{table}").files) for table in tables}
    home.take({FIRST: HEADER + "2,9,1,1\n3,9,2,1\n", SECOND: LINES + "2,10,1\n3,10,1\n"})

    for table in tables:
        assert before[table] < set(home.catalog.scan(f"shop.{table}").files), table
        assert home.catalog.snapshots(f"shop.{table}")[-1].operation == "append"
    assert prior(home) == [(1, 10, 1), (2, 10, 1)]
    # The next order of a shopper makes the one before it a prior one: that order's file is written anew, others stay.
    home.take({"orders_2026-11-02.csv": HEADER + "5,9,3,1\n", "order_products/2026-11-02.csv": LINES + "5,10,1\n"})
    assert before["orders"] < set(home.catalog.scan("shop.orders").files)
    assert prior(home) == [(1, 10, 1), (2, 10, 1), (3, 10, 1)]
    assert home.catalog.snapshots("shop.order_products_prior")[-1].operation == "append"


@pytest.mark.slow
def test_rows_that_name_what_is_not_there_are_noted(home: Any) -> None:
    products = "product_id,product_name,aisle_id,department_id\n10,Milk,1,\n11,Bread,2,9\n"
    report = home.take(
        {
            **BASE,
            "products.csv": products,
            "aisles.csv": "aisle_id,aisle\n1,dairy\n",
            "order_products.csv": LINES + "1,10,1\n1,12,2\n1,13,3\n",
        }
    )

    assert "2 new rows of order_products name 2 values of product_id that products lacks, for example 12; " in str(
        report.notes
    )
    assert "1 new rows of products name 1 values of aisle_id that aisles lacks, for example 2; " in str(report.notes)
    assert "departments lacks" not in str(report.notes)
    report = home.take({SECOND: LINES + "1,A7,1\n", "products/new.csv": products + "A7,Tea,1,1\n"})
    assert "product_id is text in all tables: products has 'A7', which is no plain whole number" in report.notes
