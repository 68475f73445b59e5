from typing import Any

import pytest

from nextbasket.errors import InputError

ORDERS = "SELECT sale AS order_id, buyer AS user_id, MIN(nr) AS order_number FROM landing.sales GROUP BY sale, buyer"
PRODUCTS = "SELECT DISTINCT article AS product_id, article AS product_name FROM landing.sales WHERE article <> 'fee';"
LINES = """SELECT sale AS order_id, article AS product_id,
    CASE WHEN article = 'fee' THEN 'a fee' END AS dropped_reason FROM landing.sales"""
SALES = "sale,buyer,nr,article\n1,7,1,milk\n1,7,1,bread\n1,7,1,milk\n1,7,1,fee\n2,7,2,milk\n"


def _map(home: Any, **mappings: str) -> None:
    folder = home.path / "definitions" / "mappings"
    folder.mkdir(parents=True, exist_ok=True)
    for table, sql in {"orders": ORDERS, "products": PRODUCTS, "order_products": LINES, **mappings}.items():
        (folder / f"{table}.sql").write_text(sql)


def test_a_mapped_shop_has_a_fate_for_each_source_line(home: Any, fates: Any) -> None:
    _map(home)
    report = home.take({"sales.csv": SALES})

    found = fates(report, "sales/sales.csv")
    assert (found.records, found.accepted, found.merged, found.dropped) == (5, 3, 1, {"a fee": 1})
    assert report.lines == {"accepted": 3, "merged": 1, "dropped": 1, "quarantined": 0}
    assert home.rows("SELECT order_id, product_id FROM shop.order_products ORDER BY 1, 2") == [
        (1, "bread"),
        (1, "milk"),
        (2, "milk"),
    ]
    assert home.rows("SELECT order_id, eval_set FROM shop.orders ORDER BY 1") == [(1, "prior"), (2, "train")]
    assert any("orders.sql made 2 rows" in note for note in report.notes)
    assert not home.load().changed


@pytest.mark.slow
def test_a_mapping_or_a_source_that_changes_makes_its_table_anew(home: Any) -> None:
    _map(home)
    home.take({"sales.csv": SALES})
    home.take({"sales/day2.csv": "sale,buyer,nr,article\n3,7,3,jam\n"})

    assert home.rows("SELECT order_id, eval_set FROM shop.orders ORDER BY 1") == [
        (1, "prior"),
        (2, "prior"),
        (3, "train"),
    ]
    _map(home, order_products=LINES.replace("'fee'", "'jam'"))
    report = home.load()
    assert [table.name for table in report.tables if table.changed] == [
        "shop.orders",
        "shop.order_products",
        "shop.order_products_prior",
    ]
    assert report.lines["dropped"] == 1
    assert home.rows("SELECT order_id, eval_set FROM shop.orders ORDER BY 1") == [
        (1, "prior"),
        (2, "train"),
        (3, "test"),
    ]
    assert not home.load().changed


@pytest.mark.slow
def test_fates_are_counted_by_file_where_the_mapping_says_the_path(home: Any, fates: Any) -> None:
    _map(home, order_products=LINES.replace("SELECT ", 'SELECT "$path", ', 1))
    report = home.take(
        {"sales/a.csv": SALES, "sales/b.csv": "sale,buyer,nr,article\n2,7,2,fee\n2,7,2,milk\n2,7,2,jam\n"}
    )

    first, second = fates(report, "sales/a.csv"), fates(report, "sales/b.csv")
    assert (first.records, first.accepted, first.merged, first.dropped) == (5, 3, 1, {"a fee": 1})
    assert (second.records, second.accepted, second.merged, second.dropped) == (3, 1, 1, {"a fee": 1})


@pytest.mark.slow
def test_a_mapping_reads_the_last_of_a_file_that_came_corrected(home: Any) -> None:
    _map(home)
    home.take({"sales/2026-11-01.csv": SALES})
    home.take({"sales/2026-11-01.csv": "sale,buyer,nr,article\n1,7,1,milk\n"})

    assert home.rows("SELECT order_id, product_id FROM shop.order_products") == [(1, "milk")]
    assert home.rows("SELECT order_id, eval_set FROM shop.orders") == [(1, "train")]


@pytest.mark.slow
def test_a_mapping_of_lines_that_loses_lines_is_refused(home: Any) -> None:
    _map(
        home, order_products="SELECT sale AS order_id, article AS product_id FROM landing.sales WHERE article <> 'fee'"
    )

    with pytest.raises(InputError, match=r"order_products\.sql returns 4 rows for the 5 rows of its source"):
        home.take({"sales.csv": SALES})
    assert home.catalog.tables("shop") == []


@pytest.mark.parametrize(
    ("table", "sql", "message"),
    [
        ("orders", "SELECT sale AS order_id, 1 AS order_number FROM landing.sales", "returns no column 'user_id'"),
        ("ordres", "SELECT 1 AS x", r"mappings/ordres\.sql maps no table of the layout"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said(home: Any, table: str, sql: str, message: str) -> None:
    _map(home, **{table: sql})

    with pytest.raises(InputError, match=message):
        home.take({"sales.csv": SALES})
