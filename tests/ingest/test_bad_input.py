"""Bad input gets one clear sentence and loses nothing: every record has one fate, the rest loads."""

import gzip
from typing import Any

import pytest

from nextbasket.errors import InputError
from nextbasket.lake.base import Zone

LINES = "order_products__prior/order_products__prior.csv"


@pytest.mark.parametrize("missing", ["orders", "products"])
def test_a_missing_table_is_named(home: Any, shop: Any, missing: str) -> None:
    del shop[f"{missing}.csv"]

    with pytest.raises(InputError, match=f"the table {missing} is missing: land {missing}.csv"):
        home.take(shop)
    assert home.catalog.tables("shop") == []


def test_a_file_without_header_is_named(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].split("\n", 1)[1]

    with pytest.raises(InputError, match=r"landing/orders/orders\.csv has no header: its first line must name"):
        home.take(shop)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^"])
@pytest.mark.slow
def test_other_delimiters_are_read(home: Any, shop: Any, delimiter: str) -> None:
    for name in ("orders.csv", "order_products__prior.csv"):
        shop[name] = shop[name].replace(",", delimiter)
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 0}
    assert home.rows("SELECT user_id FROM shop.orders ORDER BY order_id") == [(7,), (7,), (8,), (8,)]


def test_an_unknown_delimiter_is_named(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].replace(",", "#")

    with pytest.raises(
        InputError, match=r"landing/orders/orders\.csv has one column only: its delimiter is none of those"
    ):
        home.take(shop)


def test_lines_that_cannot_be_cut_are_quarantined_and_the_rest_loads(home: Any, shop: Any, fates: Any) -> None:
    shop["order_products__prior.csv"] = (
        b"order_id,product_id,add_to_cart_order,reordered\n"
        b"1,10,1,0\n"
        b"1,11\n"
        b"\n"
        b'1,"12,2,0\n'
        b"3,10,1,0\n"
        b"3,\xff\xfe,2,0\n"
        b"3,1\x003,2,0\n"
        b"3,14,2,0,0\n"
        b'"3","15","3","0"\n'
        b'3,"1"6,3,0\n'
    )
    report = home.take(shop)

    assert home.rows("SELECT order_id, product_id FROM shop.order_products ORDER BY 1, 2") == [
        (1, 10),
        (2, 10),
        (3, 10),
        (3, 15),
    ]
    found = fates(report, LINES)
    assert (found.records, found.accepted, found.quarantined, found.blank) == (9, 3, 6, 1)
    assert [(line["line"], line["reason"], line["raw"]) for line in home.quarantined("order_products")] == [
        ("3", "the line has 2 fields instead of 4", "1,11"),
        ("5", "a quote is opened and never closed", '1,"12,2,0'),
        ("7", "the line is not UTF-8", "3,\\xff\\xfe,2,0"),
        ("8", "the line holds a NUL byte", "3,1\\x003,2,0"),
        ("9", "the line has 5 fields instead of 4", "3,14,2,0,0"),
        ("11", "text follows a closing quote", '3,"1"6,3,0'),
    ]
    assert {line["file"] for line in home.quarantined("order_products")} == {f"landing/{LINES}"}


@pytest.mark.slow
def test_quarantined_lines_can_be_queried(home: Any, shop: Any) -> None:
    shop["orders.csv"] += '5,9,prior,1,0,1,0\n6,"9\n9",oops,1,0,1,0\n'
    home.take(shop)

    assert home.rows("SELECT file, line, raw FROM quarantine.orders") == [
        ("landing/orders/orders.csv", 7, '6,"9\n9",oops,1,0,1,0')
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",7,prior,1,0,1,0", "order_id is empty"),
        ("5,,prior,1,0,1,0", "user_id is empty"),
        ("5,7,first,1,0,1,0", "eval_set 'first' is none of prior, train, test"),
        ("5,7,prior,,0,1,0", "order_number is empty"),
        ("5,7,prior,0,0,1,0", "order_number '0' is not a whole number from 1 to 1,000,000"),
        ("5,7,prior,1.5,0,1,0", "order_number '1.5' is not a whole number from 1 to 1,000,000"),
        ("5,7,prior,1_0,0,1,0", "order_number '1_0' is not a whole number from 1 to 1,000,000"),
        ("5,7,prior,1,7,1,0", "order_dow '7' is not a whole number from 0 to 6"),
        ("5,7,prior,1,Mon,1,0", "order_dow 'Mon' is not a whole number from 0 to 6"),
        ("5,7,prior,1,0,24,0", "order_hour_of_day '24' is not a whole number from 0 to 23"),
        ("5,7,prior,1,0,1,-1", "days_since_prior_order '-1' is not a number from 0 to 100,000"),
        ("5,7,prior,1,0,1,inf", "days_since_prior_order 'inf' is not a number from 0 to 100,000"),
    ],
)
@pytest.mark.slow
def test_values_that_do_not_fit_are_quarantined_with_their_reason(home: Any, shop: Any, line: str, reason: str) -> None:
    shop["orders.csv"] += f"{line}\n"
    report = home.take(shop)

    assert report.lines["quarantined"] == 1
    (found,) = home.quarantined("orders")
    assert (found["line"], found["reason"], found["raw"]) == ("6", reason, line)
    assert home.rows("SELECT COUNT(*) FROM shop.orders") == [(4,)]


@pytest.mark.parametrize("direct_from", [0, 4 << 20])
def test_every_kind_of_bad_value_is_found_in_one_load(home: Any, shop: Any, direct_from: int) -> None:
    home.direct_from = direct_from
    shop["orders.csv"] += "5,7,prior,0,0,1,0\n6,7,prior,1,7,1,0\n,7,prior,1,1,1,0\n"
    shop["order_products__prior.csv"] += "1,12,1,2\n1,13,0,1\n1,,1,1\n9,10,1,0\n"
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 7}
    assert [(found["line"], found["reason"]) for found in home.quarantined("order_products")] == [
        ("5", "reordered '2' is not a whole number from 0 to 1"),
        ("6", "add_to_cart_order '0' is not a whole number from 1 to 1,000,000"),
        ("7", "product_id is empty"),
        ("8", "there is no order with the order_id '9'"),
    ]
    assert [found["line"] for found in home.quarantined("orders")] == ["6", "7", "8"]


@pytest.mark.parametrize("direct_from", [0, 4 << 20])
@pytest.mark.slow
def test_an_order_or_line_delivered_twice_is_merged_and_the_last_one_wins(
    home: Any, shop: Any, fates: Any, direct_from: int
) -> None:
    home.direct_from = direct_from
    shop["orders.csv"] += "1,7,prior,1,3,12,\n"
    shop["order_products__prior.csv"] += "3,10,9,1\n3,10,5,1\n"
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 3, "dropped": 0, "quarantined": 0}
    assert (fates(report, LINES).accepted, fates(report, LINES).merged) == (3, 2)
    assert home.rows("SELECT order_dow, order_hour_of_day FROM shop.orders WHERE order_id = 1") == [(3, 12)]
    assert home.rows("SELECT add_to_cart_order FROM shop.order_products WHERE order_id = 3") == [(5,)]


@pytest.mark.slow
def test_an_empty_optional_file_is_noted(home: Any, shop: Any) -> None:
    shop["aisles.csv"] = ""
    report = home.take(shop)

    assert "landing/aisles/aisles.csv is empty: it has not even a header" in report.notes
    assert home.rows("SELECT COUNT(*) FROM shop.products") == [(2,)]


def test_an_empty_required_file_is_a_missing_table(home: Any, shop: Any) -> None:
    shop["orders.csv"] = ""

    with pytest.raises(InputError, match=r"the table orders is missing: landing/orders/orders\.csv is empty"):
        home.take(shop)


@pytest.mark.slow
def test_a_file_with_a_header_only_has_no_rows(home: Any, shop: Any) -> None:
    header = shop["order_products__prior.csv"].split("\n", 1)[0] + "\n"
    shop["order_products__prior.csv"] = header
    shop["order_products__train.csv"] = header
    shop["aisles.csv"] = "aisle_id,aisle\n"
    report = home.take(shop)

    assert report.lines == {"accepted": 7, "merged": 0, "dropped": 0, "quarantined": 0}
    assert home.rows("SELECT COUNT(*) FROM shop.order_products") == [(0,)]
    assert home.rows("SELECT COUNT(*) FROM shop.order_products_prior") == [(0,)]
    assert not home.load().changed


@pytest.mark.slow
def test_a_shop_of_headers_only_loads_and_grows_later(home: Any, shop: Any) -> None:
    empty = {name: content.split("\n", 1)[0] + "\n" for name, content in shop.items()}
    home.take(empty)
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 0}
    assert report.eval_set == "delivered"


def test_a_gzip_file_cut_off_is_refused_and_nothing_is_landed(home: Any, shop: Any) -> None:
    whole = gzip.compress(shop["orders.csv"].encode() * 1000)
    shop["orders.csv.gz"] = whole[: len(whole) // 2]
    del shop["orders.csv"]

    with pytest.raises(InputError, match=r"orders\.csv\.gz is cut off"):
        home.land(home.source(shop))
    assert list(home.lake.list(Zone.LANDING)) == []


@pytest.mark.slow
def test_a_gzip_file_cut_off_in_landing_itself_is_named(home: Any, shop: Any) -> None:
    whole = gzip.compress(shop["orders.csv"].encode())
    del shop["orders.csv"]
    home.land(home.source(shop))
    (home.path / "landing/orders").mkdir()
    (home.path / "landing/orders/orders.csv.gz").write_bytes(whole[:-12])

    with pytest.raises(InputError, match=r"landing/orders/orders\.csv\.gz is cut off or damaged"):
        home.load()


@pytest.mark.slow
def test_a_mac_or_windows_or_utf16_file_is_read(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].replace("\n", "\r\n").encode("utf-8-sig")
    shop["products.csv"] = shop["products.csv"].replace("Milk", "Käse").encode("utf-16")
    shop["aisles.csv"] = shop["aisles.csv"].replace("\n", "\r")
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 0}
    assert home.rows("SELECT product_name FROM shop.products ORDER BY product_id") == [("Käse",), ("Bread, brown",)]


@pytest.mark.slow
def test_a_file_in_an_older_encoding_is_read(home: Any, shop: Any) -> None:
    names = "".join(f"{number},Crème {number} fraîche\n" for number in range(10, 30))
    shop["products.csv"] = ("product_id,product_name\n" + names).encode("latin-1")
    report = home.take(shop)

    assert report.lines["quarantined"] == 0
    assert home.rows("SELECT product_name FROM shop.products WHERE product_id = 12") == [("Crème 12 fraîche",)]
