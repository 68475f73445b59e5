from datetime import date
from typing import Any

import pytest

from nextbasket.ingest.sniff import sniff


def _columns(home: Any, table: str) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in home.catalog.table(table).columns]


def test_tables_have_the_types_of_their_values(home: Any) -> None:
    home.land(
        home.source(
            {
                "things.csv": "Id,Price,Code,Day,At,Flag,Note,Nothing\n"
                '1,1.5,007,2026-01-31,2026-01-31 10:00:00,true,"a, b",\n'
                "2,2,008,2026-02-01,2026-02-01T11:30:00.5,false,c,\n"
            }
        )
    )
    report = home.crawl()

    assert _columns(home, "landing.things") == [
        ("id", "bigint"),
        ("price", "double"),
        ("code", "string"),
        ("day", "date"),
        ("at", "timestamp"),
        ("flag", "boolean"),
        ("note", "string"),
        ("nothing", "string"),
    ]
    assert home.rows("SELECT id, code, note, day FROM landing.things WHERE flag = true")[0][:3] == (1, "007", "a, b")
    assert report.read == 1


def test_a_folder_is_one_table_and_its_keys_are_partitions(home: Any) -> None:
    home.land(
        home.source(
            {
                "sales/day=2026-01-01/a.csv": "id,amount\n1,5\n",
                "sales/day=2026-01-02/b.csv": "id,amount\n2,5.5\n",
            }
        )
    )
    home.crawl()

    assert [column.name for column in home.catalog.table("landing.sales").partition_keys] == ["day"]
    assert home.rows("SELECT id, amount, day FROM landing.sales ORDER BY id") == [
        (1, 5.0, date(2026, 1, 1)),
        (2, 5.5, date(2026, 1, 2)),
    ]


def test_unchanged_files_are_not_read_again(home: Any, shop: Any) -> None:
    home.land(home.source(shop))
    assert home.crawl().read == 6

    again = home.crawl()
    assert again.read == 0
    assert not any(table.drift for table in again.tables)

    home.land(home.source({"products.csv": "product_id,product_name,brand\n1,a,b\n"}))
    changed = home.crawl()
    assert changed.read == 1
    (products,) = [table for table in changed.tables if table.drift]
    assert [column.name for column in products.drift.added] == ["brand"]


def test_what_is_no_table_is_reported(home: Any) -> None:
    home.land(home.source({"orders.csv": "order_id\n1\n", "aisles.csv": ""}))
    (home.path / "landing/loose.csv").write_text("a\n1\n")
    (home.path / "landing/orders/readme.md").write_text("hello")
    report = home.crawl()

    assert [table.name for table in report.tables] == ["landing.orders"]
    assert len(report.unread) == 3
    for text in ("aisles/aisles.csv: it is empty", "loose.csv is in no folder", "readme.md: its name"):
        assert any(text in one for one in report.unread), text


@pytest.mark.parametrize(
    ("text", "header", "columns"),
    [
        ("city,country\nKoln,Germany\nParis,France\n", True, ("city", "country")),
        ("Koln,Germany\nParis,France\nKoln,Germany\n", False, ("col0", "col1")),
        ("order_id,product_id\n", True, ("order_id", "product_id")),
        ("1,2\n3,4\n", False, ("col0", "col1")),
        ("a,1\nb,2\n", False, ("col0", "col1")),
        ('"name","note"\n"x, y","says ""hi"""\n', True, ("name", "note")),
    ],
)
def test_headers_are_found_also_when_all_columns_are_text(text: str, header: bool, columns: tuple[str, ...]) -> None:
    shape = sniff(text.encode(), whole=True)
    assert (shape.header, shape.columns) == (header, columns)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2\n2,5;3\n", ";"),
        ("a\tb,c\n1\t2\n", "\t"),
        ("a|b\nx, y|z\n", "|"),
        ("name,note\nx,a;b;c\ny,d\n", ","),
        ("single\n1\n2\n", ","),
    ],
)
def test_delimiters_are_found(text: str, delimiter: str) -> None:
    assert sniff(text.encode(), whole=True).delimiter == delimiter


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("a,b\nä,ö\n".encode(), "utf-8"),
        (b"a,b\n1,\xff\n2,x\n", "utf-8"),
        (("a,b\n" + "é,1\n" * 10).encode("latin-1"), "cp1252"),
        (("a,b\n" + "€é,1\n" * 10).encode("cp1252"), "cp1252"),
        ("a,b\nä,1\n".encode("utf-16"), "utf-16"),
    ],
)
def test_encodings_are_told_apart_from_broken_lines(content: bytes, encoding: str) -> None:
    assert sniff(content, whole=True).encoding == encoding
