"""A file loses a person's records and nothing else, in its own form, encoding and compression."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import FileForm
from nextbasket.errors import InputError
from nextbasket.ingest.forget_files import find, is_all, without
from nextbasket.lake.base import FileRef, Zone
from nextbasket.lake.local import LocalLake

MARKS = {"user_id": frozenset({"7"}), "order_id": frozenset({"2"})}


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def put(lake: LocalLake, name: str, content: bytes) -> FileRef:
    return lake.put(Zone.LANDING, f"orders/{name}", io.BytesIO(content))


def erased(lake: LocalLake, ref: FileRef) -> bytes:
    found = find(lake, ref, MARKS)
    assert found is not None
    target = io.BytesIO()
    without(lake, ref, MARKS, found, target)
    return target.getvalue()


BEFORE = "order_id,user_id,note\r\n1,7,a\r\n2,8,b\r\n3,77,c 7\r\n4, 7 ,d\r\n5,8,e"
AFTER = "order_id,user_id,note\r\n3,77,c 7\r\n5,8,e"


@pytest.mark.parametrize(
    ("name", "encode", "decode"),
    [
        ("a.csv", str.encode, bytes.decode),
        ("a.csv.gz", lambda text: gzip.compress(text.encode()), lambda found: gzip.decompress(found).decode()),
        ("a.csv.bz2", lambda text: bz2.compress(text.encode()), lambda found: bz2.decompress(found).decode()),
        ("a.csv.xz", lambda text: lzma.compress(text.encode()), lambda found: lzma.decompress(found).decode()),
        (
            "a.csv",
            lambda text: b"\xef\xbb\xbf" + text.encode(),
            lambda found: found.removeprefix(b"\xef\xbb\xbf").decode(),
        ),
        ("a.csv", lambda text: text.encode("utf-16"), lambda found: found.decode("utf-16")),
        ("a.csv", lambda text: b"\xfe\xff" + text.encode("utf-16-be"), lambda found: found.decode("utf-16")),
        ("a.tsv", lambda text: text.replace(",", "\t").encode(), lambda found: found.decode().replace("\t", ",")),
    ],
)
def test_text_in_any_wrapping(
    lake: LocalLake, name: str, encode: Callable[[str], bytes], decode: Callable[[bytes], str]
) -> None:
    ref = put(lake, name, encode(BEFORE))
    found = find(lake, ref, MARKS, ["user_id"])
    assert found is not None
    assert (found.count, found.searched, found.lines) == (3, 5, (2, 3, 5))
    assert found.records.column("user_id").to_pylist() == ["7", "8", "7"]
    assert decode(erased(lake, ref)) == AFTER


def test_quoted_line_ends_broken_lines_and_blank_ones(lake: LocalLake) -> None:
    ref = put(
        lake,
        "a.csv",
        b'user_id,order_id,note\n\n7,1,"two\nlines"\n8,3,"also\ntwo"\n7,1\n8,9\n\xff,7,x\n"7",4,"say ""7"""\n8,5,"7\n',
    )
    found = find(lake, ref, MARKS)
    assert found is not None
    # Of the broken lines, those go that carry the value as a word: three, and the last with its open quote.
    assert erased(lake, ref) == b'user_id,order_id,note\n\n8,3,"also\ntwo"\n8,9\n'
    assert (found.records.num_rows, found.faulty) == (2, 3)


def test_bytes_that_belong_to_others_are_not_touched(lake: LocalLake) -> None:
    ref = put(lake, "a.csv", b"order_id;user_id;name\n1;7;x\n2;7;x\n3;9;M\xfcller \xff\n")
    assert erased(lake, ref) == b"order_id;user_id;name\n3;9;M\xfcller \xff\n"


def test_more_than_one_block(lake: LocalLake) -> None:
    rows = [f"{number},{number % 1000},{'x' * 40}\n" for number in range(60_000)]
    ref = put(lake, "a.csv", ("order_id,user_id,note\n" + "".join(rows)).encode())
    expected = [row for number, row in enumerate(rows) if number % 1000 != 7 and number != 2]
    assert erased(lake, ref).decode() == "order_id,user_id,note\n" + "".join(expected)


def test_json_lines(lake: LocalLake) -> None:
    lines = [
        '{"order_id": 1, "user_id": 7}',
        '{"user_id": "8", "order_id": 3, "n": {"user_id": 7}}',
        "",
        '{"user_id": "7"}',
    ]
    ref = put(lake, "a.jsonl", "\n".join(lines).encode())
    assert erased(lake, ref).decode() == lines[1] + "\n\n"
    document = put(lake, "b.json", b'[{"user_id": 7}, {"user_id": 8}]')
    with pytest.raises(InputError, match=r"b\.json holds 1 records .* land it again"):
        erased(lake, document)


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.float64(), pa.string(), pa.int8(), pa.dictionary(pa.int32(), pa.string())]
)
def test_parquet_of_any_type(lake: LocalLake, kind: pa.DataType) -> None:
    values = pa.array(["7", "8", None, "70"]).cast(kind.value_type if pa.types.is_dictionary(kind) else kind)
    users = values.dictionary_encode() if pa.types.is_dictionary(kind) else values
    table = pa.table({"User_ID": users, "n": [1, 2, 3, 4]})
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd")
    ref = put(lake, "a.parquet", target.getvalue())
    found = pq.read_table(io.BytesIO(erased(lake, ref)))
    assert found.column("n").to_pylist() == [2, 3, 4]
    assert found.schema.equals(table.schema)


def test_orc(lake: LocalLake) -> None:
    target = io.BytesIO()
    pa_orc.write_table(pa.table({"user_id": [7, 8, 7], "n": [1, 2, 3]}), target)
    ref = put(lake, "a.orc", target.getvalue())
    assert pa_orc.read_table(io.BytesIO(erased(lake, ref))).to_pylist() == [{"user_id": 8, "n": 2}]


def test_a_file_without_header_whose_table_knows_its_columns(lake: LocalLake) -> None:
    ref = put(lake, "a.csv", b"1|7|x\n3|8|y\n5|70|z\n6|7|w\n")
    assert find(lake, ref, MARKS) is None
    known = {"delimiter": "|", "quote": '"', "encoding": "utf-8", "skip.header.line.count": "0"}
    form = FileForm("csv", ("order_id", "user_id", "note"), known)
    found = find(lake, ref, MARKS, (), form)
    assert found is not None
    target = io.BytesIO()
    without(lake, ref, MARKS, found, target, form)
    assert target.getvalue() == b"3|8|y\n5|70|z\n"


def test_a_folder_s_name_makes_all_of_its_files_the_person_s(lake: LocalLake) -> None:
    assert is_all(put(lake, "user_id=7/a.csv", b"order_id\n1\n"), MARKS)
    assert not is_all(put(lake, "user_id=77/a.csv", b"order_id\n1\n"), MARKS)
    assert not is_all(put(lake, "user_id=7.csv", b"order_id\n1\n"), MARKS)


def test_files_that_name_no_shopper_are_told_apart(lake: LocalLake) -> None:
    assert find(lake, put(lake, "a.csv", b"product_id,name\n7,x\n"), MARKS) is None
    assert find(lake, put(lake, "b.csv", b""), MARKS) is None
    nobody = find(lake, put(lake, "c.csv", b"user_id,order_id\n8,1\n"), MARKS)
    assert nobody is not None
    assert (nobody.count, nobody.searched) == (0, 1)
