"""Cutting text into records: whatever stands in a file, every record comes out once, whole or with its reason."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbasket.ingest import records
from nextbasket.ingest.records import LINE, RAW, REASON, UNCLOSED, Anatomy, RecordReader, Signs, examine

_words = st.text(st.sampled_from("abc xyzä€'.-0123456789"), max_size=6)


@st.composite
def _record(draw: st.DrawFn) -> tuple[bytes, list[str] | None, str | None, int]:
    """Return a record's bytes, its three fields or None, its reason or None, and its lines; all None: a blank line."""
    kind = draw(
        st.sampled_from(
            ["plain", "plain", "plain", "quoted", "spanning", "short", "long", "open", "bytes", "nul", "after", "blank"]
        )
    )
    fields = [draw(_words) for _ in range(3)]
    fields[0] = "k" + fields[0].strip()
    plain = ",".join(fields).encode()
    if kind == "plain":
        return plain, fields, None, 1
    if kind == "quoted":
        fields[1] = f'q, "{fields[1]}"'
        return ('{},"{}",{}'.format(fields[0], fields[1].replace('"', '""'), fields[2])).encode(), fields, None, 1
    if kind == "spanning":
        fields[1] = f"s{fields[1]}\n{fields[1]}"
        return f'{fields[0]},"{fields[1]}",{fields[2]}'.encode(), fields, None, 2
    if kind == "short":
        return f"{fields[0]},{fields[1]}".encode(), None, "the line has 2 fields instead of 3", 1
    if kind == "long":
        return plain + b",more", None, "the line has 4 fields instead of 3", 1
    if kind == "open":
        return f'{fields[0]},"o{fields[1]},{fields[2]}'.encode(), None, UNCLOSED, 1
    if kind == "bytes":
        return plain + b"\xff", None, "the line is not UTF-8", 1
    if kind == "nul":
        return b"\0" + plain, None, "the line holds a NUL byte", 1
    if kind == "after":
        return f'{fields[0]},"a"{fields[1]}b,{fields[2]}'.encode(), None, "text follows a closing quote", 1
    return draw(st.sampled_from([b"", b" ", b"\t "])), None, None, 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(_record(), max_size=30),
    end=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
    chunk=st.sampled_from([7, 64, 1 << 20]),
)
def test_every_record_comes_out_once(
    content: list[tuple[bytes, list[str] | None, str | None, int]],
    end: bytes,
    last: bool,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", chunk)
    text = end.join([b"a,b,c", *(raw for raw, _, _, _ in content)]) + (end if last else b"")
    expected = []
    line, blank = 2, 0
    for _, fields, reason, lines in content:
        if fields is None and reason is None:
            blank += 1
        elif fields is not None:
            expected.append((line, None, *(value or None for value in fields)))
        else:
            expected.append((line, reason, None, None, None))
        line += lines
    if content and not last and content[-1][0] == b"":
        blank -= 1  # nothing stands behind the last line end

    reader = RecordReader(io.BytesIO(text), ",", 3, [(0, "a"), (1, "b"), (2, "c")], header=True)
    found = [
        (row[LINE], row[REASON], row["a"], row["b"], row["c"])
        for table in reader
        for row in table.select([LINE, REASON, "a", "b", "c"]).to_pylist()
    ]

    assert sorted(found, key=lambda row: row[0]) == expected
    assert reader.records == len(expected)
    assert reader.blank == blank


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(["0", "1", "10", "007", "", "-1", "1.5", "x", "ä"]), min_size=2, max_size=2),
        max_size=8,
    ),
    last=st.booleans(),
)
def test_an_examined_file_has_the_records_and_the_digits_it_says(rows: list[list[str]], last: bool) -> None:
    text = "\n".join(["a,b", *(",".join(row) for row in rows)]) + ("\n" if last else "")
    values = [value for row in rows for value in row]
    digits = all(value == "0" or (value.isdigit() and value[:1] != "0") or not value for value in values)
    columns = tuple(_signs([row[at] for row in rows]) for at in range(2))

    assert examine(io.BytesIO(text.encode()), ",", 2, header=True) == Anatomy(True, digits, len(rows), columns)


def _signs(values: list[str]) -> Signs:
    if not all(set(value) <= set("0123456789.") for value in values):
        return Signs.ANY
    if any("." in value for value in values):
        return Signs.POINTS
    return Signs.ZEROS if any(len(value) > 1 and value[0] == "0" for value in values) else Signs.DIGITS


@pytest.mark.parametrize(
    "text",
    [
        b'a,b\n1,"2"\n',
        b"a,b\n1,2\n\n3,4\n",
        b"a,b\n1\n",
        b"a,b\n1,2,3\n",
        b"a,b\n1,\xff\n",
        b"a,b\n1,\x00\n",
        b"a,b\n1,2\r3,4\n",
        b"a,b\n1,2\r\n3,4\n",
    ],
)
def test_a_file_with_anything_odd_is_not_plain(text: bytes) -> None:
    assert not examine(io.BytesIO(text), ",", 2, header=True).plain


@pytest.mark.parametrize("size", [1, 1 << 18, (1 << 18) + 1])
def test_a_leading_zero_is_seen_wherever_a_block_ends(size: int) -> None:
    filler = b"11,2222\n" * (size // 8)
    for shift in range(10):
        text = b"a,b\n" + b"1" * shift + b",1\n" + filler + b"3,05\n"
        assert examine(io.BytesIO(text), ",", 2, header=True).digits is False
        assert examine(io.BytesIO(text.replace(b"05", b"50")), ",", 2, header=True).digits is True


def test_a_line_without_end_is_one_bad_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", 1 << 10)
    monkeypatch.setattr(records, "LONGEST_LINE", 1 << 12)
    text = b"a,b\n1,2\n" + b"x" * 20_000 + b"\n3,4\n"
    reader = RecordReader(io.BytesIO(text), ",", 2, [(0, "a"), (1, "b")], header=True)
    rows = [row for table in reader for row in table.to_pylist()]

    assert [(row[LINE], row["a"], row[REASON] is None) for row in rows] == [
        (2, "1", True),
        (3, None, False),
        (4, "3", True),
    ]
    assert len(rows[1][RAW]) == 4096
