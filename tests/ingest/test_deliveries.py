import os
from typing import Any

import pytest
from sqlglot import exp

from nextbasket.errors import InputError


def _state(home: Any) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in home.catalog.tables("shop"):
        selected = exp.select("*").from_(exp.to_table(table.full_name)).sql(dialect="athena")
        found[table.name] = sorted(home.rows(selected), key=str)
    assert len(found) == 6
    return found


def test_a_new_delivery_is_merged_by_key(home: Any, shop: Any, fates: Any) -> None:
    home.take(shop)
    report = home.take(
        {
            "orders_2026-11-23.csv": shop["orders.csv"].split("\n", 1)[0] + "\n4,8,prior,2,5,1,30\n5,8,train,3,4,2,7\n",
            "order_products/2026-11-23.csv": "order_id,product_id,add_to_cart_order\n4,10,1\n5,11,1\n3,10,7\n",
        }
    )

    orders = fates(report, "orders/orders_2026-11-23.csv")
    assert (orders.accepted, orders.merged) == (1, 1)
    found = fates(report, "order_products/2026-11-23.csv")
    assert (found.accepted, found.merged) == (2, 1)
    assert home.rows("SELECT * FROM shop.orders WHERE user_id = 8 ORDER BY order_id") == [
        (3, 8, "prior", 1, 6, 23, None),
        (4, 8, "prior", 2, 5, 1, 30.0),
        (5, 8, "train", 3, 4, 2, 7.0),
    ]
    assert home.rows("SELECT order_id, product_id, add_to_cart_order FROM shop.order_products ORDER BY 1, 2") == [
        (1, 10, 1),
        (1, 11, 2),
        (2, 10, 1),
        (3, 10, 7),
        (4, 10, 1),
        (5, 11, 1),
    ]
    assert home.rows("SELECT DISTINCT order_id FROM shop.order_products_prior ORDER BY 1") == [(1,), (3,), (4,)]


@pytest.mark.slow
def test_the_rows_of_a_table_are_the_accepted_lines_of_all_its_deliveries(home: Any, shop: Any) -> None:
    home.take(shop)
    home.take({"orders.csv": shop["orders.csv"] + "9,7,prior,3,1,1,1\n"})

    accepted = sum(entry.accepted for entry in home.catalog.ledger("shop.orders"))
    assert home.rows("SELECT COUNT(*) FROM shop.orders") == [(accepted,)] == [(5,)]


@pytest.mark.slow
def test_the_same_file_delivered_again_changes_nothing(home: Any, shop: Any) -> None:
    home.take(shop)
    landed = home.land(home.source(shop))

    assert landed.landed == ()
    assert len(landed.known) == 6
    assert not home.load().changed


@pytest.mark.slow
def test_which_file_came_last_decides_within_one_load(home: Any, shop: Any) -> None:
    header = shop["orders.csv"].split("\n", 1)[0]
    home.land(home.source(shop))
    home.land(
        home.source({"orders/a.csv": f"{header}\n1,7,prior,1,6,1,\n", "orders/b.csv": f"{header}\n1,7,prior,1,5,2,\n"})
    )
    for name, moment in (("orders.csv", 3), ("b.csv", 1), ("a.csv", 2)):
        os.utime(home.path / "landing/orders" / name, (1_000_000 + moment, 1_000_000 + moment))
    report = home.load()

    assert home.rows("SELECT order_dow FROM shop.orders WHERE order_id = 1") == [(0,)]
    assert {file.key: (file.accepted, file.merged) for file in report.files if file.table == "orders"} == {
        "orders/b.csv": (1, 0),
        "orders/a.csv": (0, 1),
        "orders/orders.csv": (3, 1),
    }


@pytest.mark.parametrize("commits", [1, 2, 3, 4, 5])
@pytest.mark.slow
def test_a_load_that_died_between_two_commits_is_finished_by_the_next(
    home: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, commits: int, tmp_path: Any
) -> None:
    from nextbasket.ingest import shop as room

    del shop["order_products__train.csv"]
    shop["orders.csv"] = shop["orders.csv"].replace("train", "test")  # derived: orders depend on lines
    real = room.Shop.commit
    done: list[str] = []

    def dying(self: Any, pending: Any, run_id: str) -> Any:
        if len(done) == commits:
            raise KeyboardInterrupt
        done.append(pending.table)
        return real(self, pending, run_id)

    home.land(home.source(shop))
    with monkeypatch.context() as patch:
        patch.setattr(room.Shop, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            home.load("killed")
    home.load("killed" if commits % 2 else "another")

    (tmp_path / "other").mkdir()
    undisturbed = type(home)(tmp_path / "other")
    undisturbed.take(shop)
    assert _state(home) == _state(undisturbed)
    assert not home.load().changed


@pytest.mark.slow
def test_a_faulty_delivery_commits_nothing(home: Any, shop: Any) -> None:
    home.take(shop)
    before = _state(home)
    home.land(
        home.source({"orders/new.csv": "order_id,user\n9,9\n", "products/new.csv": "product_id,product_name\n99,X\n"})
    )

    with pytest.raises(
        InputError, match=r"landing/orders/new\.csv has no column 'user_id' \(found 'user'; rename it\)"
    ):
        home.load()
    assert _state(home) == before
    (home.path / "landing/orders/new.csv").unlink()
    assert home.load().lines["accepted"] == 1
