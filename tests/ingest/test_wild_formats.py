"""Files that are no text, folders that hold files of all kinds, and what a query keeps of them."""

import datetime as dt
import io
import sys
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq
import pytest

from nextbasket.errors import InputError, MissingExtraError, QueryError
from nextbasket.ingest import typed_files, workbook
from nextbasket.lake.base import Zone
from nextbasket.query.base import Limits

TABLE = pa.table(
    {
        "Id": pa.array([1, 2], pa.int32()),
        "small": pa.array([200, None], pa.uint8()),
        "price": pa.array([Decimal("1.50"), Decimal("-2.00")], pa.decimal128(9, 2)),
        "at": pa.array([dt.datetime(2026, 1, 31, 10), None], pa.timestamp("ns")),
        "day": pa.array([dt.date(2026, 1, 31), None]),
        "tags": pa.array([["a", None], []], pa.list_(pa.string())),
        "place": pa.array([{"zip": "01067"}, None], pa.struct([("zip", pa.string())])),
    }
)
COLUMNS = [
    ("id", "int"),
    ("small", "smallint"),
    ("price", "decimal(9,2)"),
    ("at", "timestamp"),
    ("day", "date"),
    ("tags", "array<string>"),
    ("place", "struct<zip:string>"),
]
ROWS = [
    (1, 200, Decimal("1.50"), dt.datetime(2026, 1, 31, 10), dt.date(2026, 1, 31), ["a", None], {"zip": "01067"}),
    (2, None, Decimal("-2.00"), None, None, [], None),
]

AVRO = {
    "type": "record",
    "name": "thing",
    "fields": [
        {"name": "Id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["A", "B"]}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {
            "name": "place",
            "type": {"type": "record", "name": "place", "fields": [{"name": "zip", "type": "string"}]},
        },
    ],
}


def _columns(home: Any, table: str = "landing.things") -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in home.catalog.table(table).columns]


def _avro(records: list[dict[str, Any]], codec: str = "null") -> bytes:
    sink = io.BytesIO()
    fastavro.writer(sink, AVRO, records, codec=codec)
    return sink.getvalue()


def _orc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa_orc.write_table(table, sink)
    return sink.getvalue()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_orc_is_read_with_its_own_types(home: Any) -> None:
    table = TABLE.drop_columns(["small"])
    home.land(home.source({"things/a.orc": _orc(table)}))
    home.crawl()

    assert _columns(home) == [column for column in COLUMNS if column[0] != "small"]
    assert home.rows("SELECT * FROM landing.things") == [(*row[:1], *row[2:]) for row in ROWS]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_is_read_with_its_own_types(home: Any, codec: str) -> None:
    at = dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)
    first = {
        "Id": 1,
        "name": "x",
        "kind": "A",
        "price": Decimal("1.50"),
        "day": dt.date(2026, 1, 31),
        "at": at,
        "tags": ["a", "b"],
        "counts": {"n": 1},
        "place": {"zip": "01067"},
    }
    second = first | {"Id": 2, "name": None, "at": None, "tags": [], "counts": {}}
    home.land(home.source({"things/a.avro": _avro([first, second], codec)}))
    home.crawl()

    assert _columns(home) == [
        ("id", "bigint"),
        ("name", "string"),
        ("kind", "string"),
        ("price", "decimal(9,2)"),
        ("day", "date"),
        ("at", "timestamp"),
        ("tags", "array<string>"),
        ("counts", "map<string,int>"),
        ("place", "struct<zip:string>"),
    ]
    price, day, place = Decimal("1.50"), dt.date(2026, 1, 31), {"zip": "01067"}
    assert home.rows("SELECT id, name, kind, price, day, at, tags, place FROM landing.things ORDER BY id") == [
        (1, "x", "A", price, day, dt.datetime(2026, 1, 31, 10), ["a", "b"], place),
        (2, None, "A", price, day, None, [], place),
    ]


def test_parquet_is_read_where_it_lies(home: Any) -> None:
    home.land(home.source({"things/a.parquet": _parquet(TABLE)}))
    home.crawl()

    assert _columns(home) == COLUMNS
    assert home.rows("SELECT * FROM landing.things") == ROWS
    assert list(home.lake.list(Zone.CACHE)) == []


@pytest.mark.parametrize("name", ["a.orc", "a.avro", "a.parquet", "a.xlsx"])
def test_a_damaged_file_is_named_by_the_crawl(home: Any, name: str) -> None:
    home.land(home.source({f"things/{name}": b"no such thing"}))
    (found,) = home.crawl().unread

    kind = {"a.orc": "ORC file", "a.avro": "Avro file", "a.parquet": "Parquet file", "a.xlsx": "workbook"}[name]
    assert found.startswith(f"landing/things/{name} is not a whole {kind} (")
    assert "delete it there and land it again" in found


def test_what_needs_the_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("fastavro", "python_calamine"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"reading the workbook a\.xlsx needs the extra 'formats'"):
        workbook.as_csv(io.BytesIO(b""), "a.xlsx")
    with pytest.raises(MissingExtraError, match=r"reading the Avro file a\.avro needs the extra 'formats'"):
        typed_files.schema_of(io.BytesIO(b""), "avro", "a.avro")


def test_files_of_all_kinds_in_one_folder_are_one_table(home: Any) -> None:
    table = pa.table({"id": pa.array([4], pa.int64()), "name": ["d"]})
    home.land(
        home.source(
            {
                "things/a.csv": "id,name,n\n1,a,5\n",
                "things/b.csv": "name;id\nb;2\n",
                "things/c.jsonl": '{"id": 3, "name": "c", "n": 1.5}\n',
                "things/d.parquet": _parquet(table),
                "things/e.orc": _orc(table),
                "things/2026/11/f.csv": b"\xff\xfe" + "id\tname\n6\tä\n".encode("utf-16-le"),
            }
        )
    )
    home.crawl()

    assert home.rows("SELECT id, name, n FROM landing.things ORDER BY id, n") == [
        (1, "a", 5.0),
        (2, "b", None),
        (3, "c", 1.5),
        (4, "d", None),
        (4, "d", None),
        (6, "ä", None),
    ]
    assert home.rows('SELECT "$path" FROM landing.things WHERE id = 6') == [
        (home.lake.uri(Zone.LANDING, "things/2026/11/f.csv"),)
    ]


def test_what_one_file_does_not_tell_about_its_dates_another_one_does(home: Any) -> None:
    home.land(home.source({"days/a.csv": "id,day\n1,01/02/2026\n", "days/b.csv": "id,day\n2,01/22/2026\n"}))
    home.crawl()
    assert home.rows("SELECT * FROM landing.days ORDER BY id") == [
        (1, dt.date(2026, 1, 2)),
        (2, dt.date(2026, 1, 22)),
    ]

    home.land(home.source({"days/c.csv": "id,day\n3,22/01/2026\n"}))
    home.crawl()
    assert _columns(home, "landing.days") == [("id", "bigint"), ("day", "date")]
    with pytest.raises(InputError, match=r"landing/days/[ac]\.csv, line 2: '.*' is no date, the type of column day"):
        home.rows("SELECT * FROM landing.days")


def test_a_file_is_read_again_only_when_it_or_its_types_change(home: Any) -> None:
    def kept() -> set[str]:
        return {ref.key for ref in home.lake.list(Zone.CACHE)}

    home.land(home.source({"sales/day=1/a.csv": 'id,n\n1,"1,000"\n', "sales/day=2/b.csv": "id,n\n2,2\n"}))
    home.crawl()
    assert home.rows("SELECT id, n, day FROM landing.sales ORDER BY id") == [(1, 1000, 1), (2, 2, 2)]
    first = kept()
    # Whole numbers without anything else are read where they lie.
    assert len(first) == 1

    assert home.rows("SELECT SUM(n) FROM landing.sales") == [(1002,)]
    assert kept() == first

    home.land(home.source({"sales/day=3/c.csv": "id,n\n3,0.5\n"}))
    home.crawl()
    assert home.rows("SELECT id, n, day FROM landing.sales ORDER BY id") == [(1, 1000.0, 1), (2, 2.0, 2), (3, 0.5, 3)]
    assert first < kept()

    for ref in list(home.lake.list(Zone.CACHE)):
        home.lake.delete(ref)
    assert home.rows("SELECT SUM(n) FROM landing.sales WHERE day = 1") == [(1000.0,)]


def test_a_file_that_an_engine_would_read_otherwise_is_not_read_in_place(home: Any) -> None:
    # DuckDB reads 1.7 as 2 in a column of whole numbers, and an x behind a closing quote as part of the value.
    home.land(home.source({"things/a.csv": "id,n\n1,2\n"}))
    home.crawl()
    (home.path / "landing/things/a.csv").write_text("id,n\n1,1.7\n")
    with pytest.raises(InputError, match=r"line 2: '1\.7' is no bigint, the type of column n"):
        home.rows("SELECT * FROM landing.things")


def test_keys_that_come_late_in_json_lines_are_found(home: Any) -> None:
    lines = [f'{{"id": {row}}}' for row in range(60_000)]
    lines[50_000:] = [f'{{"id": {row}, "late": 0.5}}' for row in range(50_000, 60_000)]
    home.land(home.source({"things/a.jsonl": "\n".join(lines)}))
    home.crawl()

    assert _columns(home) == [("id", "bigint"), ("late", "double")]
    assert home.rows("SELECT COUNT(*), SUM(id), SUM(late) FROM landing.things") == [(60_000, 1_799_970_000, 5_000.0)]


def test_types_that_come_late_in_a_text_are_found(home: Any) -> None:
    lines = ["id,n", *(f"{row},{row}" for row in range(100_000)), *(f"x{row},0.5" for row in range(50_000))]
    home.land(home.source({"things/a.csv": "\n".join(lines)}))
    home.crawl()

    assert _columns(home) == [("id", "string"), ("n", "double")]
    assert home.rows("SELECT COUNT(*), SUM(n), MAX(id) FROM landing.things") == [
        (150_000, 4_999_950_000.0 + 25_000, "x9999")
    ]


def test_making_a_file_readable_counts_as_time_of_the_query(home: Any) -> None:
    home.land(home.source({"things/a.csv": "id,n\n1,0.5\n"}))
    home.crawl()
    with pytest.raises(QueryError, match="the query ran longer than its limit of 0 seconds and was stopped"):
        home.workgroup.table("SELECT * FROM landing.things", limits=Limits(seconds=0))
    assert list(home.lake.list(Zone.CACHE)) == []


def test_many_columns_are_read(home: Any) -> None:
    names = [f"c{index}" for index in range(5_000)]
    text = "\n".join([",".join(names), ",".join(map(str, range(5_000))), "," * 4_999]) + "\n"
    home.land(home.source({"wide/a.csv": text}))
    home.crawl()

    assert _columns(home, "landing.wide") == [(name, "bigint") for name in names]
    assert home.rows("SELECT * FROM landing.wide") == [tuple(range(5_000)), (None,) * 5_000]
