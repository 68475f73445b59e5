"""Files of the wild: for each the exact columns, types and rows that a query gives, or the exact sentence."""

import bz2
import datetime as dt
import gzip
import lzma
from typing import Any

import pyarrow as pa
import pytest

from nextbasket.errors import InputError

Columns = list[tuple[str, str]]
Rows = list[tuple[Any, ...]]

_IDS = [("id", "bigint"), ("name", "string")]


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


FILES: dict[str, tuple[str, bytes, Columns, Rows]] = {
    "semicolons": ("a.csv", b"id;name\n1;x\n2;y, z\n", _IDS, [(1, "x"), (2, "y, z")]),
    "tabs": ("a.tsv", b"id\tname\n1\tx y\n2\t\n", _IDS, [(1, "x y"), (2, None)]),
    "pipes": ("a.txt", b"id|name\n1|x,y;z\n", _IDS, [(1, "x,y;z")]),
    "carets": ("a.csv", b"id^name\n1^x\n2^y\n", _IDS, [(1, "x"), (2, "y")]),
    "a byte-order mark": ("a.csv", b"\xef\xbb\xbfid,name\n1,\xc3\xa4\n", _IDS, [(1, "ä")]),
    "UTF-16, little end first": ("a.csv", "\ufeffid,name\n1,ä€\n".encode("utf-16-le"), _IDS, [(1, "ä€")]),
    "UTF-16, big end first": ("a.csv", "\ufeffid,name\n1,ä€\n".encode("utf-16-be"), _IDS, [(1, "ä€")]),
    "UTF-16 without a mark": (
        "a.csv",
        "id,name\r\n1,ä\r\n2,bread\r\n".encode("utf-16-le"),
        _IDS,
        [(1, "ä"), (2, "bread")],
    ),
    "UTF-16 without a mark, big end first": ("a.csv", "id,name\n1,bread\n".encode("utf-16-be"), _IDS, [(1, "bread")]),
    "bytes that Windows-1252 leaves open": (
        "a.csv",
        b"id,name\n" + b"1,\xe9\n" * 5 + b"2,\x81\xff\n",
        _IDS,
        [(1, "é")] * 5 + [(2, "\x81ÿ")],
    ),
    "thousands or fractions, between semicolons": (
        "a.csv",
        b"id;p\n1;1,234\n",
        [("id", "bigint"), ("p", "double")],
        [(1, 1.234)],
    ),
    "Latin-1": ("a.csv", "id,name\n1,Müller\n2,Séb\n".encode("latin-1"), _IDS, [(1, "Müller"), (2, "Séb")]),
    "Windows-1252": ("a.csv", "id,name\n1,5 €\n2,“œ”\n".encode("cp1252"), _IDS, [(1, "5 €"), (2, "“œ”")]),
    "line ends of Windows": ("a.csv", b'id,name\r\n1,"a\r\nb"\r\n2,c\r\n', _IDS, [(1, "a\r\nb"), (2, "c")]),
    "line ends of old Macs": ("a.csv", b"id,name\r1,x\r2,y\r", _IDS, [(1, "x"), (2, "y")]),
    "no end of the last line": ("a.csv", b"id,name\n1,x\n2,y", _IDS, [(1, "x"), (2, "y")]),
    "blank lines": ("a.csv", b"\nid,name\n\n1,x\n   \n2,y\n\n", _IDS, [(1, "x"), (2, "y")]),
    "quoted newlines": ("a.csv", b'id,name\n1,"a\nb,c"\n2,d\n', _IDS, [(1, "a\nb,c"), (2, "d")]),
    "doubled quotes": ("a.csv", b'id,name\n1,"say ""hi"", ok"\n2,""\n', _IDS, [(1, 'say "hi", ok'), (2, None)]),
    "quotes inside of a value": ("a.csv", b"id,name\n1,5\" pipe\n2,O'Neill\n", _IDS, [(1, '5" pipe'), (2, "O'Neill")]),
    "single quotes": ("a.csv", b"id,name\n1,'x, y'\n2,'it''s'\n", _IDS, [(1, "x, y"), (2, "it's")]),
    "a trailing delimiter on each line": ("a.csv", b"id,name,\n1,x,\n2,y,\n", _IDS, [(1, "x"), (2, "y")]),
    "a trailing delimiter below the header": ("a.csv", b"id;name\n1;x;\n2;y;\n", _IDS, [(1, "x"), (2, "y")]),
    "an unnamed column with values": (
        "a.csv",
        b"id,,name\n1,7,x\n",
        [("id", "bigint"), ("col1", "bigint"), ("name", "string")],
        [(1, 7, "x")],
    ),
    "a name twice": ("a.csv", b"id,Id\n1,2\n", [("id", "bigint"), ("id_2", "bigint")], [(1, 2)]),
    "thousands separators": (
        "a.csv",
        b'n,p\n"1,234","1,234.50"\n"12,345,678",0.5\n7,-3\n',
        [("n", "bigint"), ("p", "double")],
        [(1234, 1234.5), (12345678, 0.5), (7, -3.0)],
    ),
    "thousands separated by spaces and apostrophes": (
        "a.tsv",
        "n\tp\n1 234\t1'234.5\n5\t2\n12\u00a0345\t3\n".encode(),
        [("n", "bigint"), ("p", "double")],
        [(1234, 1234.5), (5, 2.0), (12345, 3.0)],
    ),
    "decimal commas": (
        "a.csv",
        b"n;p;q\n1.234;1.234,50;1,5\n12;0,5;2\n",
        [("n", "bigint"), ("p", "double"), ("q", "double")],
        [(1234, 1234.5, 1.5), (12, 0.5, 2.0)],
    ),
    "decimal commas between tabs": (
        "a.tsv",
        b"p\tq\n1,5\t1,234\n2\t5,678\n",
        [("p", "double"), ("q", "double")],
        [(1.5, 1.234), (2.0, 5.678)],
    ),
    "whole numbers and fractions": (
        "a.csv",
        b"a,b,c,d\n0,1e3,.5,-1\n-12,2,1.,+2\n",
        [("a", "bigint"), ("b", "double"), ("c", "double"), ("d", "double")],
        [(0, 1000.0, 0.5, -1.0), (-12, 2.0, 1.0, 2.0)],
    ),
    "ids with leading zeros, and too long for a number": (
        "a.csv",
        b"zip,card\n01067,4111111111111111111\n10115,5\n",
        [("zip", "string"), ("card", "string")],
        [("01067", "4111111111111111111"), ("10115", "5")],
    ),
    "ISO dates and timestamps": (
        "a.csv",
        b"d,t,z\n2026-01-31,2026-01-31T10:00:00.5,2026-01-31T10:00:00+02:00\n"
        b"2026-02-01,2026-02-01 09:30,2026-02-01T00:00:00Z\n",
        [("d", "date"), ("t", "timestamp"), ("z", "timestamp")],
        [
            (dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 10, 0, 0, 500000), dt.datetime(2026, 1, 31, 8)),
            (dt.date(2026, 2, 1), dt.datetime(2026, 2, 1, 9, 30), dt.datetime(2026, 2, 1)),
        ],
    ),
    "US dates and timestamps": (
        "a.csv",
        b"d,t\n01/31/2026,1/31/2026 1:05 PM\n02/01/2026,2/1/2026 12:00:30 AM\n",
        [("d", "date"), ("t", "timestamp")],
        [
            (dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, 13, 5)),
            (dt.date(2026, 2, 1), dt.datetime(2026, 2, 1, 0, 0, 30)),
        ],
    ),
    "dates with the day first": (
        "a.csv",
        b"d;e\n31.01.2026;13/2/2026\n01.02.2026;3/4/2026\n",
        [("d", "date"), ("e", "date")],
        [(dt.date(2026, 1, 31), dt.date(2026, 2, 13)), (dt.date(2026, 2, 1), dt.date(2026, 4, 3))],
    ),
    "dates that may mean two days": (
        "a.csv",
        b"id,d\n1,01/02/2026\n2,03/04/2026\n",
        [("id", "bigint"), ("d", "string")],
        [(1, "01/02/2026"), (2, "03/04/2026")],
    ),
    "days that there are not": (
        "a.csv",
        b"id,d\n1,2026-02-30\n",
        [("id", "bigint"), ("d", "string")],
        [(1, "2026-02-30")],
    ),
    "truth values": (
        "a.csv",
        b"a,b,c\ntrue,TRUE,yes\nfalse,False,no\n",
        [("a", "boolean"), ("b", "boolean"), ("c", "string")],
        [(True, True, "yes"), (False, False, "no")],
    ),
    "NULL, NA and nothing": (
        "a.csv",
        b"n,d,t,e\n1,NULL,x,\nNA,2026-01-01,NULL,\n,N/A,,\n\\N,-,NA,\n",
        [("n", "bigint"), ("d", "date"), ("t", "string"), ("e", "string")],
        [
            (1, None, "x", None),
            (None, dt.date(2026, 1, 1), "NULL", None),
            (None, None, None, None),
            (None, None, "NA", None),
        ],
    ),
    "spaces around values": ("a.csv", b"n , t\n 1 , x \n", [("n", "bigint"), ("t", "string")], [(1, " x ")]),
    "a header only": ("a.csv", b"id,name\n", [("id", "string"), ("name", "string")], []),
    "no header": ("a.csv", b"1,x\n2,y\n", [("col0", "bigint"), ("col1", "string")], [(1, "x"), (2, "y")]),
    "no header, decimal commas": (
        "a.csv",
        b"1,5;x\n2,5;y\n",
        [("col0", "double"), ("col1", "string")],
        [(1.5, "x"), (2.5, "y")],
    ),
    "all columns are text": (
        "a.csv",
        b"city,country\nKoln,Germany\nParis,France\n",
        [("city", "string"), ("country", "string")],
        [("Koln", "Germany"), ("Paris", "France")],
    ),
    "all columns are text, no header": (
        "a.csv",
        b"Koln,Germany\nParis,France\nKoln,Germany\n",
        [("col0", "string"), ("col1", "string")],
        [("Koln", "Germany"), ("Paris", "France"), ("Koln", "Germany")],
    ),
    "all columns are codes, no header": (
        "a.csv",
        b"AB-12,a@b.cd\nCD-34,e@f.gh\n",
        [("col0", "string"), ("col1", "string")],
        [("AB-12", "a@b.cd"), ("CD-34", "e@f.gh")],
    ),
    "one column": ("a.csv", b"name\nAnn\nBob\n", [("name", "string")], [("Ann",), ("Bob",)]),
    "one column of numbers, no header": ("a.csv", b"3\n4\n", [("col0", "bigint")], [(3,), (4,)]),
    "gzip": ("a.csv.gz", gzip.compress(b"id,name\n1,x\n"), _IDS, [(1, "x")]),
    "bzip2": ("a.csv.bz2", bz2.compress(b"id,name\n1,x\n"), _IDS, [(1, "x")]),
    "xz": ("a.tsv.xz", lzma.compress(b"id\tname\n1\tx\n"), _IDS, [(1, "x")]),
    "zstd": ("a.csv.zst", _zstd(b"id,name\n1,x\n"), _IDS, [(1, "x")]),
    "JSON lines": (
        "a.jsonl",
        b'{"Id":1,"name":"x","at":{"zip":"01067","no":[1,2]},"day":"2026-01-31"}\n\n{"name":null,"Id":2,"ok":true}\r\n',
        [
            ("id", "bigint"),
            ("name", "string"),
            ("at", "struct<zip:string,no:array<bigint>>"),
            ("day", "string"),
            ("ok", "boolean"),
        ],
        [(1, "x", {"zip": "01067", "no": [1, 2]}, "2026-01-31", None), (2, None, None, None, True)],
    ),
    "JSON lines of changing types": (
        "a.ndjson",
        b'{"a":1,"b":1,"c":"x","d":{"p q":1}}\n{"a":2.5,"b":"y","c":7,"d":{"r":2}}\n',
        [("a", "double"), ("b", "string"), ("c", "string"), ("d", "string")],
        [(1.0, "1", "x", '{"p q": 1}'), (2.5, "y", "7", '{"r": 2}')],
    ),
    "a JSON array": ("a.json", b'[{"a": 1},\n {"a": 2}]\n', [("a", "bigint")], [(1,), (2,)]),
    "JSON objects over several lines": ("a.json", b'{\n "a": 1\n}\n{\n "a": 2\n}\n', [("a", "bigint")], [(1,), (2,)]),
    "JSON in UTF-16, packed": (
        "a.jsonl.gz",
        gzip.compress('{"a":"ä"}\n'.encode("utf-16")),
        [("a", "string")],
        [("ä",)],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_exactly_these_columns_and_rows(home: Any, name: str) -> None:
    file, content, columns, rows = FILES[name]
    home.land(home.source({f"things/{file}": content}))
    home.crawl()

    assert [(column.name, column.type) for column in home.catalog.table("landing.things").columns] == columns
    assert home.rows("SELECT * FROM landing.things") == rows


_DELETE = "correct the line, delete the file there and land it again"

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "an unclosed quote": (
        "a.csv",
        b'id,name\n1,x\n2,"y\n3,z\n',
        f"landing/things/a.csv, line 3: a quote is opened and never closed; {_DELETE}.",
    ),
    "text behind a quote": (
        "a.csv",
        b'id,name\n1,x\n2,"y"z\n',
        f"landing/things/a.csv, line 3: text follows a closing quote; {_DELETE}.",
    ),
    "too few fields": (
        "a.csv",
        b"id,name,n\n1,x,1\n2,y\n3,z,3\n",
        f"landing/things/a.csv, line 3: the line has 2 fields instead of 3; {_DELETE}.",
    ),
    "too many fields": (
        "a.csv",
        b"id,name\n1,x\n2,y,z\n",
        f"landing/things/a.csv, line 3: the line has 3 fields instead of 2; {_DELETE}.",
    ),
    "bytes that are no UTF-8": (
        "a.csv",
        b"id,name\n1,\xc3\xa4\n2,\xff\n",
        f"landing/things/a.csv, line 3: the line is not UTF-8; {_DELETE}.",
    ),
    "a NUL byte": (
        "a.csv",
        b"id,name\n1,x\n2,\0\n",
        f"landing/things/a.csv, line 3: the line holds a NUL byte; {_DELETE}.",
    ),
    "a value of another type behind what a crawl looks at": (
        "a.csv.gz",
        gzip.compress(b"id,name\n" + b"1,xxxxxxxxxx\n" * 30_000 + b"1.7,y\n"),
        "landing/things/a.csv.gz, line 30002: '1.7' is no bigint, the type of column id; correct the line, delete the "
        'file there and land it again, or make the column a text with crawler.tables.things.types.id = "string" in '
        "nextbasket.toml.",
    ),
    "a leading zero behind what a crawl looks at": (
        "a.csv.gz",
        gzip.compress(b"id,name\n" + b"1,xxxxxxxxxx\n" * 30_000 + b"007,y\n"),
        "landing/things/a.csv.gz, line 30002: '007' is no bigint, the type of column id; correct the line, delete the "
        'file there and land it again, or make the column a text with crawler.tables.things.types.id = "string" in '
        "nextbasket.toml.",
    ),
    "a line of JSON that is cut off": (
        "a.jsonl",
        b'{"a":1}\n{"a":\n',
        f"landing/things/a.jsonl, line 2: the line is no JSON object; {_DELETE}.",
    ),
    "JSON lines that are no objects": (
        "a.jsonl",
        b'{"a":1}\n[2]\n',
        f"landing/things/a.jsonl, line 2: the line is no JSON object; {_DELETE}.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_whole_is_refused_with_its_line(home: Any, name: str) -> None:
    file, content, sentence = REFUSED[name]
    home.land(home.source({f"things/{file}": content}))
    home.crawl()

    with pytest.raises(InputError) as refused:
        home.rows("SELECT * FROM landing.things")
    assert str(refused.value) == sentence


UNREAD: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("a.csv", b"", "landing/things/a.csv: it is empty"),
    "blank lines only": ("a.csv", b"\n \n\n", "landing/things/a.csv: it is empty"),
    "JSON that is none": (
        "a.json",
        b'[{"a": 1},\n {"a": }]',
        "landing/things/a.json is no JSON from line 2 on (Expecting value: line 2 column 8 (char 18)); delete it there "
        "and land it corrected.",
    ),
    "a JSON document that is no table": (
        "a.json",
        b'["x", 1]',
        'landing/things/a.json holds "x" where a JSON object is expected: a table is a list of objects; delete it '
        "there and land it in that form.",
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_file_that_is_no_table_is_named_by_the_crawl(home: Any, name: str) -> None:
    file, content, sentence = UNREAD[name]
    home.land(home.source({f"things/{file}": content}))

    assert home.crawl().unread == (sentence,)
