"""Which files are one table, and which are several: each expectation is written by hand."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.ingest.crawl import Crawler
from nextbasket.ingest.grouping import alike


def put(home: Any, files: dict[str, str | bytes]) -> None:
    """Lay files into landing as another program would."""
    for key, content in files.items():
        path = Path(home.path) / "landing" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def schema(home: Any, table: str) -> list[tuple[str, str]]:
    definition = home.catalog.table(f"landing.{table}")
    return [(column.name, column.type) for column in (*definition.columns, *definition.partition_keys)]


def tables(report: Any) -> list[tuple[str, int]]:
    return [(table.name, table.files) for table in report.tables]


def test_daily_files_are_one_table(home: Any) -> None:
    put(home, {f"orders/orders_2026-11-{day:02}.csv": f"id,user\n{day},7\n" for day in range(1, 31)})
    assert tables(home.crawl()) == [("landing.orders", 30)]
    assert home.rows("SELECT count(*), sum(id) FROM landing.orders") == [(30, 465)]


def test_prior_and_train_lines_in_one_folder_are_one_table(home: Any) -> None:
    head = "order_id,product_id,add_to_cart_order,reordered\n"
    put(
        home,
        {
            "order_products/order_products__prior.csv": head + "2,33120,1,1\n",
            "order_products/order_products__train.csv": head + "1,49302,1,1\n",
        },
    )
    assert tables(home.crawl()) == [("landing.order_products", 2)]
    assert home.rows("SELECT order_id FROM landing.order_products ORDER BY 1") == [(1,), (2,)]


def test_a_later_column_is_null_in_earlier_files_and_any_order_of_columns_is_read_by_name(home: Any) -> None:
    put(
        home,
        {
            "sales/1.csv": "id,amount\n1,10\n",
            "sales/2.csv": "amount,id\n20,2\n",
            "sales/3.csv": "id,amount,shop\n3,30.5,north\n",
            "sales/4.csv": "shop;id;amount\nsouth;4;40\n",
        },
    )
    assert tables(home.crawl()) == [("landing.sales", 4)]
    assert schema(home, "sales") == [("id", "bigint"), ("amount", "double"), ("shop", "string")]
    assert home.rows("SELECT id, amount, shop FROM landing.sales ORDER BY id") == [
        (1, 10.0, None),
        (2, 20.0, None),
        (3, 30.5, "north"),
        (4, 40.0, "south"),
    ]


def test_files_of_several_forms_are_one_table_when_their_columns_are(home: Any) -> None:
    put(home, {"sales/1.csv": "id,name\n1,a\n", "sales/2.csv.gz": gzip.compress(b"id,name\n2,b\n")})
    put(home, {"sales/4.jsonl": '{"id": 4, "name": "d"}\n'})
    pq.write_table(pa.table({"name": ["c"], "id": [3]}), home.path / "landing/sales/3.parquet")
    report = home.crawl()
    assert tables(report) == [("landing.sales", 4)]
    assert report.tables[0].notes == (
        "3 files are written differently and read so (such as 2.csv.gz: compression 'gzip')",
    )
    assert home.rows("SELECT id, name FROM landing.sales ORDER BY id") == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_a_file_without_a_header_is_read_as_the_others_columns(home: Any) -> None:
    put(home, {"sales/1.csv": "id,amount\n1,1.5\n", "sales/2.csv": "2,2.5\n3,3.5\n"})
    (table,) = home.crawl().tables
    assert table.notes == ("the file without a header 2.csv: read by position, as the other files' columns",)
    assert home.rows("SELECT id, amount FROM landing.sales ORDER BY id") == [(1, 1.5), (2, 2.5), (3, 3.5)]


def test_a_header_that_its_own_file_hides_is_known_from_other_files(home: Any) -> None:
    """In the second file a customer lives in a town called town: by itself its first line could be any other."""
    put(home, {"people/1.csv": "name,town\nann,rome\n", "people/2.csv": "name,town\nbob,town\n"})
    (table,) = home.crawl().tables
    assert table.notes == ()
    assert home.rows("SELECT name, town FROM landing.people ORDER BY name") == [("ann", "rome"), ("bob", "town")]


def test_mixed_schemas_in_one_folder_are_tables_of_their_own(home: Any) -> None:
    put(
        home,
        {
            "mixed/a_1.csv": "id,name\n1,x\n",
            "mixed/a_2.csv": "id,name\n2,y\n",
            "mixed/prices_2026-11-21.csv": "sku,price\nk,5\n",
            "mixed/prices_2026-11-22.csv": "sku,price\nl,6\n",
            "mixed/a_3.csv": "id,name\n3,z\n",
            "mixed/z_codes.csv": "77,88,99\n1,2,3\n",
        },
    )
    report = home.crawl()
    assert tables(report) == [("landing.mixed", 3), ("landing.mixed_prices", 2), ("landing.mixed_z_codes", 1)]
    assert home.rows("SELECT id FROM landing.mixed ORDER BY id") == [(1,), (2,), (3,)]
    assert home.rows("SELECT sku, price FROM landing.mixed_prices ORDER BY sku") == [("k", 5), ("l", 6)]
    assert home.rows("SELECT col0, col2 FROM landing.mixed_z_codes") == [(77, 99), (1, 3)]

    # More files of the smaller kind do not make the tables swap their names.
    put(home, {f"mixed/prices_2026-12-{day}.csv": "sku,price\nm,7\n" for day in range(10, 20)})
    assert tables(home.crawl()) == [("landing.mixed", 3), ("landing.mixed_prices", 12), ("landing.mixed_z_codes", 1)]
    assert home.rows("SELECT count(*) FROM landing.mixed_prices") == [(12,)]
    assert home.rows("SELECT id FROM landing.mixed ORDER BY id") == [(1,), (2,), (3,)]


def test_folders_of_a_folder_with_schemas_of_their_own_are_tables(home: Any) -> None:
    put(
        home,
        {
            "shop/aisles/part-1.csv": "aisle_id,aisle\n1,dairy\n",
            "shop/aisles/part-2.csv": "aisle_id,aisle\n2,bakery\n",
            "shop/products/x/p.csv": "product_id,product_name,aisle_id\n1,milk,1\n",
        },
    )
    assert tables(home.crawl()) == [("landing.shop_aisles", 2), ("landing.shop_products", 1)]
    assert schema(home, "shop_aisles") == [("aisle_id", "bigint"), ("aisle", "string")]
    assert home.rows("SELECT product_name, partition_0 FROM landing.shop_products") == [("milk", "x")]
    # A file that comes later is in the folder's table at once, as in Athena.
    put(home, {"shop/aisles/part-3.csv": "aisle_id,aisle\n3,eggs\n"})
    assert home.rows("SELECT aisle FROM landing.shop_aisles ORDER BY aisle_id") == [("dairy",), ("bakery",), ("eggs",)]


def test_what_cannot_be_read_is_said_and_left_out_of_its_table(home: Any) -> None:
    put(home, {"sales/1.csv": "id\n1\n", "sales/2.csv": "", "sales/3.parquet": b"PAR1 no", "sales/notes.docx": b"x"})
    report = home.crawl()
    assert tables(report) == [("landing.sales", 1)]
    empty, cut, other = sorted(report.unread)
    assert empty == "landing/sales/2.csv: it is empty"
    assert cut.startswith("landing/sales/3.parquet is not a whole Parquet file")
    assert other == "landing/sales/notes.docx: its name is not one of a data file"
    assert home.rows("SELECT id FROM landing.sales") == [(1,)]
    # The damaged file is tried again: what was missing may be an extra.
    assert home.crawl().read == 1


def test_a_file_that_goes_while_it_is_looked_for_is_left_out(home: Any) -> None:
    put(home, {"sales/1.csv": "id\n1\n", "sales/2.csv": "id\n2\n"})

    class Losing:
        def __getattr__(self, name: str) -> Any:
            return getattr(home.lake, name)

        def open(self, ref: Any) -> Any:
            if ref.key == "sales/2.csv":
                home.lake.delete(ref)
            return home.lake.open(ref)

    report = Crawler(Losing(), home.catalog, home.catalog, clock=home.clock).crawl()
    assert tables(report) == [("landing.sales", 1)]
    assert "is gone" in report.unread[0]
    assert home.rows("SELECT id FROM landing.sales") == [(1,)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("abcd", "abce", True),  # one of four renamed
        ("ab", "ac", False),  # one of two renamed: no more than half is shared
        ("abc", "abde", True),  # two gone, one new
        ("ab", "abcdefgh", True),  # all old columns, many new ones
        ("a", "abcd", False),  # one shared column is not enough
        ("abcdefg", "aopq", False),  # orders and their lines share an id
    ],
)
def test_what_is_alike(one: str, other: str, expected: bool) -> None:
    assert alike(frozenset(one), frozenset(other)) is expected
    assert alike(frozenset(other), frozenset(one)) is expected
