from typing import Any

import pytest

from nextbasket.errors import InputError


def test_a_shop_in_the_layout_becomes_typed_tables(home: Any, shop: Any) -> None:
    report = home.take(shop)

    assert home.rows("SELECT * FROM shop.orders ORDER BY order_id") == [
        (1, 7, "prior", 1, 0, 10, None),
        (2, 7, "train", 2, 1, 11, 8.0),
        (3, 8, "prior", 1, 6, 23, None),
        (4, 8, "test", 2, 5, 0, 30.0),
    ]
    assert home.rows("SELECT * FROM shop.order_products ORDER BY order_id, product_id") == [
        (1, 10, 1, 0),
        (1, 11, 2, 0),
        (2, 10, 1, 1),
        (3, 10, 1, 0),
    ]
    assert home.rows("SELECT * FROM shop.products ORDER BY product_id") == [
        (10, "Milk", 1, 1),
        (11, "Bread, brown", 2, 1),
    ]
    assert home.rows("SELECT * FROM shop.order_products_prior ORDER BY order_id, product_id") == [
        (1, 7, "prior", 1, 0, 10, None, 10, 1, 0),
        (1, 7, "prior", 1, 0, 10, None, 11, 2, 0),
        (3, 8, "prior", 1, 6, 23, None, 10, 1, 0),
    ]
    assert {table.name: table.rows for table in report.tables} == {
        "shop.aisles": 2,
        "shop.departments": 1,
        "shop.products": 2,
        "shop.orders": 4,
        "shop.order_products": 4,
        "shop.order_products_prior": 3,
    }
    assert report.eval_set == "delivered"
    assert report.notes == ()
    assert [column.name for column in home.catalog.table("shop.order_products_prior").columns] == [
        "order_id",
        "user_id",
        "eval_set",
        "order_number",
        "order_dow",
        "order_hour_of_day",
        "days_since_prior_order",
        "product_id",
        "add_to_cart_order",
        "reordered",
    ]


@pytest.mark.parametrize("direct_from", [0, 4 << 20])
@pytest.mark.slow
def test_a_file_read_in_place_and_one_cut_into_records_give_the_same(home: Any, shop: Any, direct_from: int) -> None:
    home.direct_from = direct_from
    shop["products.csv"] = shop["products.csv"].replace('"Bread, brown"', "Bread")
    report = home.take(shop)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 0}
    assert home.rows("SELECT COUNT(*), SUM(product_id) FROM shop.order_products") == [(4, 41)]
    assert home.rows("SELECT days_since_prior_order FROM shop.orders WHERE order_id = 4") == [(30.0,)]


def test_a_second_load_does_nothing(home: Any, shop: Any) -> None:
    home.take(shop)
    before = {table: home.catalog.scan(f"shop.{table}").snapshot_id for table in ("orders", "order_products_prior")}

    report = home.load()

    assert not report.changed
    assert report.files == ()
    assert report.eval_set == "delivered"
    assert before == {table: home.catalog.scan(f"shop.{table}").snapshot_id for table in before}


@pytest.mark.slow
def test_staged_files_are_gone_after_a_load(home: Any, shop: Any) -> None:
    home.take(shop)

    on_disk = {str(path) for path in (home.path / "warehouse" / "data").rglob("*") if path.is_file()}
    assert on_disk == {
        uri for uri in home.catalog.referenced_files() if uri.startswith(str(home.path / "warehouse/data"))
    }


@pytest.mark.slow
def test_optional_tables_and_columns_may_be_missing(home: Any) -> None:
    report = home.take(
        {
            "orders.csv": "order_id,user_id,order_number\n1,7,1\n2,7,2\n",
            "products.csv": "product_id,product_name\n10,Milk\n",
            "order_products.csv": "order_id,product_id\n1,10\n2,10\n",
        }
    )

    assert home.rows("SELECT * FROM shop.orders ORDER BY order_id") == [
        (1, 7, "prior", 1, None, None, None),
        (2, 7, "train", 2, None, None, None),
    ]
    assert home.rows("SELECT * FROM shop.order_products_prior") == [
        (1, 7, "prior", 1, None, None, None, 10, None, None)
    ]
    assert report.eval_set == "derived"
    for column in ("aisle_id", "order_dow", "days_since_prior_order", "add_to_cart_order", "reordered"):
        assert any(f"'{column}'" in note and "left out" in note for note in report.notes), column


def test_text_ids_are_kept_as_they_are_in_every_table(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].replace("\n1,7", "\nA-1,007").replace("\n2,7", "\n2,007")
    shop["order_products__prior.csv"] = shop["order_products__prior.csv"].replace("\n1,", "\nA-1,")
    home.take(shop)

    assert home.rows("SELECT order_id, user_id FROM shop.orders ORDER BY order_id") == [
        ("2", "007"),
        ("3", "8"),
        ("4", "8"),
        ("A-1", "007"),
    ]
    assert home.rows("SELECT order_id, product_id FROM shop.order_products ORDER BY 1, 2") == [
        ("2", 10),
        ("3", 10),
        ("A-1", 10),
        ("A-1", 11),
    ]
    assert home.rows("SELECT DISTINCT user_id FROM shop.order_products_prior ORDER BY 1") == [("007",), ("8",)]


@pytest.mark.parametrize("direct_from", [0, 4 << 20])
@pytest.mark.slow
def test_a_zero_before_a_number_makes_the_id_text(home: Any, shop: Any, direct_from: int) -> None:
    home.direct_from = direct_from
    shop["products.csv"] = "product_id,product_name\n0010,Milk\n11,Bread\n"
    shop["order_products__prior.csv"] = shop["order_products__prior.csv"].replace(",10,", ",0010,")
    home.take(shop)

    assert home.rows("SELECT DISTINCT product_id FROM shop.order_products ORDER BY 1") == [("0010",), ("10",), ("11",)]


@pytest.mark.slow
def test_ids_that_become_text_later_change_the_tables_that_are_there(home: Any, shop: Any) -> None:
    home.take(shop)
    assert home.rows("SELECT product_id FROM shop.products ORDER BY 1") == [(10,), (11,)]

    home.take({"products.csv": "product_id,product_name\nX12,Jam\n"})

    assert home.rows("SELECT product_id FROM shop.products ORDER BY 1") == [("10",), ("11",), ("X12",)]
    assert home.rows("SELECT order_id, product_id FROM shop.order_products ORDER BY 1, 2") == [
        (1, "10"),
        (1, "11"),
        (2, "10"),
        (3, "10"),
    ]
    assert home.rows("SELECT DISTINCT product_id FROM shop.order_products_prior ORDER BY 1") == [("10",), ("11",)]


@pytest.mark.slow
def test_a_line_whose_order_id_is_no_integer_belongs_to_no_order(home: Any, shop: Any) -> None:
    shop["order_products__prior.csv"] += "x9,10,1,0\n"
    report = home.take(shop)

    assert home.catalog.table("shop.orders").columns[0].type == "bigint"
    assert report.lines["quarantined"] == 1


@pytest.mark.slow
def test_whole_numbers_may_be_written_with_a_point(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].replace("prior,1,0,10,", "prior,1.0,0.0,10.0,NA")
    home.take(shop)

    assert home.rows("SELECT * FROM shop.orders WHERE order_id = 1") == [(1, 7, "prior", 1, 0, 10, None)]


@pytest.mark.slow
def test_unknown_columns_are_ignored_and_noted(home: Any, shop: Any) -> None:
    shop["aisles.csv"] = "aisle_id,aisle,note\n1,dairy,x\n2,bakery,y\n"
    report = home.take(shop)

    assert any("note" in note and "ignored" in note for note in report.notes)
    assert home.rows("SELECT * FROM shop.aisles ORDER BY 1") == [(1, "dairy"), (2, "bakery")]


@pytest.mark.slow
def test_parquet_files_load_like_text(home: Any, shop: Any, tmp_path: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table(
            {
                "order_id": [1.0, 2.0, 3.0, None],
                "user_id": [7, 7, 8, 8],
                "eval_set": ["prior", "train", "prior", "test"],
                "order_number": pa.array([1, 2, 1, 2], pa.int8()),
            }
        ),
        tmp_path / "orders.parquet",
    )
    shop["orders.parquet"] = (tmp_path / "orders.parquet").read_bytes()
    del shop["orders.csv"]
    report = home.take(shop)

    assert home.rows("SELECT order_id, user_id, eval_set, order_number FROM shop.orders ORDER BY 1") == [
        (1, 7, "prior", 1),
        (2, 7, "train", 2),
        (3, 8, "prior", 1),
    ]
    assert report.lines["quarantined"] == 1
    assert home.quarantined("orders")[0]["reason"] == "order_id is empty"


def test_everything_wrong_with_the_files_is_said_at_once_and_nothing_is_committed(home: Any, shop: Any) -> None:
    shop["orders.csv"] = shop["orders.csv"].replace("user_id", "userid").replace("order_number", "number")
    shop["products.csv"] = shop["products.csv"].replace("product_id", "id")
    del shop["order_products__prior.csv"], shop["order_products__train.csv"]

    with pytest.raises(InputError) as error:
        home.take(shop)

    text = str(error.value)
    assert "landing/orders/orders.csv has no column 'user_id' (found 'userid'; rename it)" in text
    assert "landing/orders/orders.csv has no column 'order_number'" in text
    assert "landing/products/products.csv has no column 'product_id'" in text
    assert "the table order_products is missing" in text
    assert len(text.splitlines()) == 4
    assert home.catalog.tables("shop") == []
