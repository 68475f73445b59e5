"""What is read in place is what nextbasket's own reader reads: whatever a file holds, no engine says otherwise."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nextbasket.catalog.base import DataFile, FileForm, Scan
from nextbasket.catalog.types import to_arrow
from nextbasket.errors import InputError
from nextbasket.ingest.landed import shape_of
from nextbasket.ingest.readable import ReadableFiles
from nextbasket.ingest.sniff import column_names, common_type
from nextbasket.ingest.typed_rows import typed_rows
from nextbasket.lake.base import FileRef, Zone
from nextbasket.lake.local import LocalLake
from nextbasket.query.duckdb import DuckDBEngine

_DIGITS = st.sampled_from(["0", "7", "42", "123456789012345678", "", "10"])
_ODD = st.sampled_from(
    ["1.7", "007", "-1", " 5", "1e3", "NA", "NULL", '"', '"x"', "x", "é", "'", "", " ", "\\N", "\r", "#"]
)
_POINTS = st.sampled_from(["0.5", "7", "", "1.", ".5", "007.50", "10"])
_TEXTS = st.sampled_from(["milk", "brown bread", "x", "é€", "", "NA", "nan", "0x1", "#", "\\", "a b "])


class _Forgetful:
    """Remembers nothing: every file is looked at again."""

    def state(self, _: str) -> str | None:
        return None

    def set_state(self, _key: str, _value: str) -> None:
        return None


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    kinds = draw(
        st.lists(st.sampled_from([_DIGITS, _TEXTS, _POINTS, _POINTS | _DIGITS | _ODD]), min_size=1, max_size=3)
    )
    # Some files are of one kind only: they are the ones that are read in place.
    kinds = draw(st.sampled_from([kinds, [_DIGITS, _TEXTS, _POINTS][: len(kinds)], [_TEXTS] * len(kinds)]))
    rows = draw(st.lists(st.tuples(*kinds), max_size=6))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    header = [f"name{index}" for index in range(len(kinds))]
    last = draw(st.sampled_from([end, ""]))
    return (end.join(delimiter.join(row) for row in [header, *rows]) + last).encode()


@settings(max_examples=120, deadline=None)
@given(content=_files())
def test_an_engine_reads_in_place_what_the_own_reader_reads(content: bytes) -> None:
    found, expected = _read(content)
    assert found is None or found == expected


_TOKENS = [*"a1,,\n\n\"';\t| {}[]:", "\r\n", "1.5", "2026-01-31", "01/31/2026", "NULL", "ä", "é", "\0", '"a"', "\ufeff"]


@settings(max_examples=80, deadline=None)
@given(tokens=st.lists(st.sampled_from(_TOKENS), max_size=30), encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]))
@example(tokens=list('],x\n"a"z1,5\n\n"b",2'), encoding="utf-8")
def test_whatever_a_file_holds_it_has_rows_or_one_sentence(tokens: list[str], encoding: str) -> None:
    content = "".join(tokens).encode(encoding, errors="replace")
    with TemporaryDirectory() as folder:
        lake, ref = _landed(content, folder)
        said = ""
        try:
            rows = _own(lake, ref)
        except InputError as error:
            rows, said = [], str(error)
        assert said == "" or said.startswith("landing/things/a.csv, line ")
        assert len(rows) <= len(tokens) + 1


@pytest.mark.parametrize(
    "content", [b"id,n\n1,2\n,30\n", b"a;b\r\nx;NA\r\n;#1\r\n", b"x|y\n", b"a,b,c\n1,x,0.5\n,NA,007.\n3,,\n"]
)
def test_plain_numbers_and_plain_texts_are_read_in_place(content: bytes) -> None:
    found, expected = _read(content)
    assert found is not None
    assert found == expected


@pytest.mark.parametrize(
    "content", [b'a,b\n1,"2"\n', b"a,b\n1,true\n", b"a,b\n1,\n\n2,3\n", b"\xef\xbb\xbfa,b\n1,2\n", b"a\n-1\n"]
)
def test_all_else_is_not(content: bytes) -> None:
    assert _read(content)[0] is None


def _read(content: bytes) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """Return the rows DuckDB reads in place, None where it does not, and then those of the own reader."""
    with TemporaryDirectory() as folder:
        lake, ref = _landed(content, folder)
        found = _in_place(lake, ref, Path(folder))
        return found, [] if found is None else _own(lake, ref)


def _landed(content: bytes, folder: str) -> tuple[LocalLake, FileRef]:
    lake = LocalLake(Path(folder), lambda: datetime(2026, 11, 22, tzinfo=UTC))
    path = Path(folder) / "landing/things/a.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (ref,) = lake.list(Zone.LANDING)
    return lake, ref


def _form(lake: LocalLake, ref: FileRef) -> tuple[FileForm, pa.Schema]:
    shape = shape_of(lake, ref)
    names = tuple(column_names(shape.columns))
    schema = pa.schema([(name, to_arrow(common_type([kind]))) for name, kind in zip(names, shape.types, strict=True)])
    given = {
        "delimiter": shape.delimiter,
        "quote": shape.quote,
        "skip.header.line.count": "1" if shape.header else "0",
        "encoding": shape.encoding,
        "compression": "none",
    }
    return FileForm("csv", names, given), schema


def _in_place(lake: LocalLake, ref: FileRef, folder: Path) -> list[dict[str, Any]] | None:
    form, schema = _form(lake, ref)
    file = DataFile(ref.uri, -1, ref.size)
    scan = Scan("landing.things", "csv", (file,), schema, parameters=form.parameters)
    try:
        readable = ReadableFiles(lake, _Forgetful()).scan(scan)
    except InputError:
        return None
    if readable.files != (file,):
        return None
    handle = DuckDBEngine(folder / "scratch", threads=1).start(
        "SELECT * FROM landing.things", {"landing.things": readable}
    )
    return pa.Table.from_batches(list(handle.batches()), handle.schema).to_pylist()


def _own(lake: LocalLake, ref: FileRef) -> list[dict[str, Any]]:
    form, schema = _form(lake, ref)
    return [row for table in typed_rows(lake, ref, form, schema, {}) for row in table.to_pylist()]
