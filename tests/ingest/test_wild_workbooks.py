"""Workbooks: read as the CSV that they would be saved as, with dates as ISO writes them."""

import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pytest

_CELL = str | int | float | bool | dt.date | None
_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _xlsx(sheets: Mapping[str, Sequence[Sequence[_CELL]]]) -> bytes:
    """Write the smallest workbook that holds these cells."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as book:
        names = list(sheets)
        listed = "".join(f'<sheet name="{escape(n)}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
        book.writestr("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"/>')
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="w" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_NAMESPACE}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">{related}'
            f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        book.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{_NAMESPACE}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/>'
            "</cellXfs></styleSheet>",
        )
        for number, rows in enumerate(sheets.values(), 1):
            data = "".join(
                f'<row r="{r}">{"".join(_cell(r, c, value) for c, value in enumerate(row))}</row>'
                for r, row in enumerate(rows, 1)
            )
            text = f'<worksheet xmlns="{_NAMESPACE}"><sheetData>{data}</sheetData></worksheet>'
            book.writestr(f"xl/worksheets/sheet{number}.xml", text)
    return sink.getvalue()


def _cell(row: int, column: int, value: _CELL) -> str:
    at = f'r="{chr(65 + column)}{row}"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c {at} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c {at} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    if isinstance(value, dt.datetime):
        days = (value - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)
        return f'<c {at} s="2"><v>{days!r}</v></c>'
    if isinstance(value, dt.date):
        return f'<c {at} s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    return f"<c {at}><v>{value!r}</v></c>"


def test_a_workbook_has_the_columns_and_rows_of_its_sheet(home: Any) -> None:
    book = _xlsx(
        {
            "Empty": [],
            "Sales": [
                ["Id", "name", "zip", "price", "day", "at", "ok"],
                [1, 'say "hi",\nok', "01067", 1.5, dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 10, 30), True],
                [None, None, None, None, None, None, None],
                [2.0, None, "10115", 2, dt.date(2026, 2, 1), None, False],
            ],
        }
    )
    home.land(home.source({"sales/a.xlsx": book}))
    home.crawl()

    columns = [(column.name, column.type) for column in home.catalog.table("landing.sales").columns]
    assert columns == [
        ("id", "bigint"),
        ("name", "string"),
        ("zip", "string"),
        ("price", "double"),
        ("day", "date"),
        ("at", "timestamp"),
        ("ok", "boolean"),
    ]
    assert home.rows("SELECT * FROM landing.sales") == [
        (1, 'say "hi",\nok', "01067", 1.5, dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 10, 30), True),
        (2, None, "10115", 2.0, dt.date(2026, 2, 1), None, False),
    ]


def test_a_workbook_of_several_tables_is_not_guessed_at(home: Any) -> None:
    home.land(home.source({"sales/a.xlsx": _xlsx({"May": [["id"], [1]], "June": [["id"], [2]]})}))

    assert home.crawl().unread == (
        "landing/sales/a.xlsx has 2 sheets with data (May, June) and a file is one table: save each sheet as a file of "
        "its own, then delete this one there and land those.",
    )


@pytest.mark.slow
def test_a_shop_may_deliver_its_tables_in_any_form(home: Any, shop: Any) -> None:
    orders = [line.split(",") for line in shop.pop("orders.csv").splitlines()]
    cells: list[list[_CELL]] = [list(orders[0])]
    cells += [
        [float(value) if value.replace(".", "").isdigit() else value or None for value in row] for row in orders[1:]
    ]
    aisles = shop.pop("aisles.csv").splitlines()[1:]
    files = shop | {
        "orders.xlsx": _xlsx({"orders": cells}),
        "aisles.jsonl": "".join('{{"aisle_id": {}, "aisle": "{}"}}\n'.format(*line.split(",")) for line in aisles),
    }
    report = home.take(files)

    assert report.lines == {"accepted": 13, "merged": 0, "dropped": 0, "quarantined": 0}
    assert home.rows("SELECT * FROM shop.aisles ORDER BY aisle_id") == [(1, "dairy"), (2, "bakery")]
    assert home.rows(
        "SELECT order_id, user_id, eval_set, days_since_prior_order FROM shop.orders ORDER BY order_id"
    ) == [
        (1, 7, "prior", None),
        (2, 7, "train", 8.0),
        (3, 8, "prior", None),
        (4, 8, "test", 30.0),
    ]


def test_lines_of_json_that_cannot_be_loaded_are_quarantined(home: Any, shop: Any) -> None:
    del shop["aisles.csv"]
    text = '{"aisle_id": 1, "aisle": "dairy"}\n\n{"aisle_id": \n[1]\n{"aisle": "bakery", "aisle_id": "2"}\n'
    home.take(shop | {"aisles.jsonl": text})

    assert home.rows("SELECT * FROM shop.aisles ORDER BY aisle_id") == [(1, "dairy"), (2, "bakery")]
    assert [(found["line"], found["reason"], found["raw"]) for found in home.quarantined("aisles")] == [
        ("3", "the line is no JSON object", '{"aisle_id":'),
        ("4", "the line is no JSON object", "[1]"),
    ]
