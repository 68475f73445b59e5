"""Which basket is predicted, worked out by hand."""

from collections.abc import Sequence
from typing import Any

import duckdb
import ibis
import pytest

from nextbasket.ingest.eval_set import with_derived


def _derive(orders: Sequence[tuple[int, int, int]], with_lines: set[int]) -> dict[int, str]:
    """Derive eval_set for (order_id, user_id, order_number) in DuckDB."""
    columns = {"order_id": "int64", "user_id": "int64", "order_number": "int64", "eval_set": "string"}
    derived = with_derived(ibis.table(columns, name="orders"), ibis.table({"order_id": "int64"}, name="known"))
    connection = duckdb.connect()
    connection.execute("CREATE TABLE orders (order_id BIGINT, user_id BIGINT, order_number BIGINT, eval_set VARCHAR)")
    connection.execute("CREATE TABLE known (order_id BIGINT)")
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?, NULL)", orders)
    for order in with_lines:
        connection.execute("INSERT INTO known VALUES (?)", [order])
    rows = connection.execute(str(ibis.to_sql(derived, dialect="duckdb"))).fetchall()
    connection.close()
    return {row[0]: row[3] for row in rows}


@pytest.mark.parametrize(
    ("orders", "with_lines", "expected"),
    [
        ([(1, 7, 1), (2, 7, 2), (3, 7, 3)], {1, 2, 3}, {1: "prior", 2: "prior", 3: "train"}),
        ([(1, 7, 1), (2, 7, 2), (3, 7, 3)], {1, 2}, {1: "prior", 2: "train", 3: "test"}),
        ([(1, 7, 1), (2, 7, 2), (3, 7, 3)], {1, 3}, {1: "prior", 2: "prior", 3: "train"}),
        ([(1, 7, 1), (2, 7, 2), (3, 7, 3)], {1}, {1: "train", 2: "test", 3: "test"}),
        ([(1, 7, 1), (2, 7, 2)], set(), {1: "test", 2: "test"}),
        ([(5, 7, 1), (4, 7, 1)], {4, 5}, {4: "prior", 5: "train"}),
        ([(5, 7, 1), (4, 7, 1)], {4}, {4: "train", 5: "test"}),
        ([(1, 7, 1), (2, 8, 1), (3, 8, 2)], {1, 2}, {1: "train", 2: "train", 3: "test"}),
    ],
)
def test_the_latest_order_with_lines_is_the_one_to_predict(
    orders: list[tuple[int, int, int]], with_lines: set[int], expected: dict[int, str]
) -> None:
    assert _derive(orders, with_lines) == expected


@pytest.mark.slow
def test_what_is_delivered_is_kept_and_what_was_derived_stays_derived(home: Any, shop: Any) -> None:
    assert home.take(shop).eval_set == "delivered"
    orders = shop["orders.csv"].split("\n", 1)[0] + "\n9,9,prior,1,0,0,\n"
    assert home.take({"orders/more.csv": orders}).eval_set == "delivered"
    without = "order_id,user_id,order_number\n10,9,2\n"
    assert home.take({"orders/without.csv": without}).eval_set == "derived"
    assert home.rows("SELECT order_id, eval_set FROM shop.orders ORDER BY 1") == [
        (1, "prior"),
        (2, "train"),
        (3, "train"),
        (4, "test"),
        (9, "test"),
        (10, "test"),
    ]
    lines = {"order_products/more.csv": "order_id,product_id\n9,10\n10,10\n"}
    assert home.take(lines).eval_set == "derived"
    assert home.rows("SELECT order_id, eval_set FROM shop.orders WHERE user_id = 9 ORDER BY 1") == [
        (9, "prior"),
        (10, "train"),
    ]
    assert home.rows("SELECT COUNT(*) FROM shop.order_products_prior WHERE order_id = 9") == [(1,)]
    assert home.take({"orders/later.csv": orders.replace("\n9,9,prior", "\n11,9,train")}).eval_set == "derived"


@pytest.mark.slow
def test_an_order_that_was_train_before_its_correction_does_not_count_as_train(home: Any, shop: Any) -> None:
    orders = (
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
        "1,7,prior,1,0,9,\n2,7,train,2,0,9,7\n2,7,prior,2,0,9,7\n"
    )
    lines = {"order_products.csv": "order_id,product_id\n1,10\n2,10\n"}
    without = {name: text for name, text in shop.items() if not name.startswith("order")}
    assert home.take({**without, **lines, "orders.csv": orders}).eval_set == "derived"
    assert home.rows("SELECT order_id, eval_set FROM shop.orders ORDER BY 1") == [(1, "prior"), (2, "train")]
