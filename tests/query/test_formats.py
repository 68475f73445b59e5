"""The text forms of a result, character by character."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pytest

from nextbasket.query.formats import Format, write_text

TABLE = pa.table(
    {
        "id": pa.array([1, 20, None], pa.int64()),
        "name": ['Say "hi", Ann', "", None],
        "price": pa.array([0.5, float("nan"), None], pa.float64()),
        "day": pa.array([dt.date(2024, 2, 29), None, None], pa.date32()),
        "at": pa.array([dt.datetime(2024, 2, 29, 12, 30, 1), None, None], pa.timestamp("us")),
        "tags": pa.array([["a", "é"], [], None], pa.list_(pa.string())),
    }
)


def text(table: pa.Table, format: Format) -> str:
    stream = io.StringIO(newline="")
    assert write_text(table.schema, table.to_batches(max_chunksize=2), format, stream) == table.num_rows
    return stream.getvalue()


def test_csv_follows_rfc_4180_and_tells_null_from_empty() -> None:
    assert text(TABLE, Format.CSV) == (
        "id,name,price,day,at,tags\r\n"
        '1,"Say ""hi"", Ann",0.5,2024-02-29,2024-02-29 12:30:01.000000,"[""a"", ""é""]"\r\n'
        '20,"",NaN,,,[]\r\n'
        ",,,,,\r\n"
    )


def test_csv_read_back_by_a_reader_gives_the_values() -> None:
    table = pa.table({"a": ["x\ny", " pad ", 'q"', "a,b"], "b": [1, 2, 3, 4]})
    assert list(csv.reader(io.StringIO(text(table, Format.CSV), newline=""))) == [
        ["a", "b"],
        ["x\ny", "1"],
        [" pad ", "2"],
        ['q"', "3"],
        ["a,b", "4"],
    ]


def test_json_is_an_array_of_row_objects() -> None:
    assert json.loads(text(TABLE, Format.JSON)) == [
        {
            "id": 1,
            "name": 'Say "hi", Ann',
            "price": 0.5,
            "day": "2024-02-29",
            "at": "2024-02-29 12:30:01.000000",
            "tags": ["a", "é"],
        },
        {"id": 20, "name": "", "price": "NaN", "day": None, "at": None, "tags": []},
        {"id": None, "name": None, "price": None, "day": None, "at": None, "tags": None},
    ]


def test_json_of_no_rows_is_an_empty_array() -> None:
    assert json.loads(text(TABLE.slice(0, 0), Format.JSON)) == []


def test_table_aligns_numbers_right_and_shows_nulls() -> None:
    table = pa.table({"id": [1, 200, None], "name": ["a", None, "two\nlines"], "ok": [True, False, None]})
    assert text(table, Format.TABLE) == (
        "  id  name        ok\n"
        "----  ----------  -----\n"
        "   1  a           true\n"
        " 200  NULL        false\n"
        "NULL  two\\nlines  NULL\n"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Decimal("1.50"), "1.50"), (float("inf"), "Infinity"), (1e300, "1e+300"), (b"\x01\xff", "01ff"), (False, "false")],
)
def test_each_type_has_one_text(value: object, shown: str) -> None:
    table = pa.table({"v": [value]})
    assert text(table, Format.CSV) == f"v\r\n{shown}\r\n"
