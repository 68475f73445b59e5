"""Find out how a delimited text file is written: encoding, delimiter, quote, header, column names and types.

Only the file's beginning is looked at; the loader verifies every line.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nextbasket.grocery.tables import LAYOUT

HEAD_BYTES = 1 << 18
"""How much of a file is looked at."""

_DELIMITERS = (",", ";", "\t", "|")
_RARE_DELIMITERS = ("^", "~", "\x01", ":", " ")
_SAMPLE_LINES = 2_000
_KNOWN_NAMES = frozenset(column.name for table in LAYOUT.values() for column in table.columns)
_NAME = re.compile(r"^[^\W\d][\w .()/#%-]{0,60}$")
_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_INTEGER = re.compile(r"^(0|-?[1-9]\d{0,17})$", re.ASCII)
_DECIMAL = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$", re.ASCII)
_LEADING_ZERO = re.compile(r"^-?0\d", re.ASCII)
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
_TIMESTAMP = re.compile(r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class TextShape:
    """How a text file is written. ``columns`` are as in the header, or ``col0…`` without one.

    ``encoding`` is ``utf-8``, ``utf-16``, ``latin-1`` or ``cp1252``; ``newline`` is a line feed or, for files of
    old Macs, a carriage return. ``bom`` is the length in bytes of a byte-order mark. A file without any line has no
    columns.
    """

    delimiter: str
    quote: str
    encoding: str
    header: bool
    columns: tuple[str, ...]
    types: tuple[str, ...]
    newline: str = "\n"
    bom: int = 0


def sniff(head: bytes, *, whole: bool) -> TextShape:
    """Return the shape of the file that begins with ``head``; ``whole`` when that is all of it."""
    encoding, bom = _encoding(head)
    text = head[bom:].decode(encoding, errors="replace")
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    if newline == "\r":
        text = text.replace("\r", "\n")
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    lines = [line for line in text.split("\n")[:_SAMPLE_LINES] if line.strip()]
    if not lines:
        return TextShape(",", '"', encoding, False, (), (), newline, bom)
    delimiter = _delimiter(lines)
    rows = _rows(lines, delimiter)
    header = _has_header(rows)
    width = len(rows[0])
    body = [row for row in rows[header:] if len(row) == width]
    names = rows[0] if header else [f"col{index}" for index in range(width)]
    types = tuple(_column_type([row[index] for row in body]) for index in range(width))
    return TextShape(delimiter, '"', encoding, header, tuple(name.strip() for name in names), types, newline, bom)


def column_names(names: Sequence[str]) -> list[str]:
    """Return catalog column names: lower case, none empty, none twice."""
    result: list[str] = []
    for index, name in enumerate(names):
        wanted = name.strip().lower() or f"col{index}"
        unique, count = wanted, 1
        while unique in result:
            count += 1
            unique = f"{wanted}_{count}"
        result.append(unique)
    return result


def common_type(types: Sequence[str]) -> str:
    """Return the narrowest type that holds values of all these types; ``""`` stands for a column without values."""
    found = {kind for kind in types if kind}
    if not found:
        return "string"
    if len(found) == 1:
        return found.pop()
    if found <= {"bigint", "double"}:
        return "double"
    if found <= {"date", "timestamp"}:
        return "timestamp"
    return "string"


def _encoding(head: bytes) -> tuple[str, int]:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Python's "utf-16" reads the mark itself.
        return "utf-16", 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _single_byte(head), 0
    return "utf-8", 0


def _single_byte(head: bytes) -> str:
    """Tell a file in another encoding from a UTF-8 file with a few broken lines, which are then quarantined.

    It takes strong evidence: no valid multi-byte sequence at all, and bytes beyond ASCII on at least five lines and
    on two lines of a hundred.
    """
    if _MULTIBYTE.search(head):
        return "utf-8"
    lines = head.split(b"\n")
    beyond = sum(1 for line in lines if not line.isascii())
    if beyond < 5 or beyond * 50 < len(lines) or b"\x00" in head:
        return "utf-8"
    return "cp1252" if re.search(rb"[\x80-\x9f]", head) else "latin-1"


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    # Each line for itself: one unclosed quote must not swallow the lines behind it.
    csv.field_size_limit(HEAD_BYTES * 4)
    return [row for line in lines for row in csv.reader([line.rstrip("\r")], delimiter=delimiter) if row]


def _delimiter(lines: Sequence[str]) -> str:
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        score = _score(lines, delimiter)
        if score > best_score:
            best, best_score = delimiter, score
    if best_score > (0.0, 0):
        return best
    for delimiter in _RARE_DELIMITERS:
        first = [cell.strip() for cell in lines[0].split(delimiter)]
        if len(first) > 1 and all(_NAME.match(cell) for cell in first) and _score(lines, delimiter)[0] > 0.9:
            return delimiter
    return ","


def _score(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Return (share of lines with the header's number of fields, that number); (0, 0) where nothing is split."""
    widths = Counter(len(row) for row in _rows(lines, delimiter))
    width = len(_rows(lines[:1], delimiter)[0])
    if width < 2:
        return 0.0, 0
    return round(widths[width] / sum(widths.values()), 2), width


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if any(cell.lower() in _KNOWN_NAMES for cell in first):
        return True
    named = [cell for cell in first if cell]
    if not named or len({cell.lower() for cell in named}) != len(named):
        return False
    # A value is no name: where the first line has a number or a date, it is data.
    if any(_value_type(cell) != "string" for cell in named):
        return False
    rest = [row for row in rows[1:] if len(row) == len(first)]
    if any(_column_type([row[index] for row in rest]) not in ("string", "") for index in range(len(first))):
        return True
    # All columns are text: a header looks like names, and none of them is a value of its own column.
    repeated = any(first[index] and first[index] in {row[index].strip() for row in rest} for index in range(len(first)))
    return all(_NAME.match(cell) for cell in named) and not repeated


def _value_type(value: str) -> str:
    if _INTEGER.match(value):
        return "bigint"
    if _LEADING_ZERO.match(value) and "." not in value:
        return "string"
    if _DECIMAL.match(value):
        return "double"
    if value.lower() in ("true", "false"):
        return "boolean"
    if _DATE.match(value):
        return "date"
    if _TIMESTAMP.match(value):
        return "timestamp"
    return "string"


def _column_type(values: Sequence[str]) -> str:
    """Return the type of a column's values, ``""`` when there are none."""
    found = {_value_type(value) for value in (raw.strip() for raw in values) if value}
    return common_type(list(found)) if found else ""
