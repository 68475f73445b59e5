"""Find out how a delimited text file is written: encoding, delimiter, quote, header, column names and types.

Only a part of the file is looked at; whoever reads it verifies every line and every value.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nextbasket.grocery.tables import LAYOUT
from nextbasket.ingest.encoding import decoder, detect
from nextbasket.ingest.values import PLAIN, Notation, judge
from nextbasket.ingest.widen import common_type

__all__ = ["HEAD_BYTES", "UNSAID", "Known", "TextShape", "column_names", "common_type", "sniff"]

HEAD_BYTES = 1 << 18
"""How much of a file is looked at."""

_DELIMITERS = ("\t", "|", ";", ",")
_RARE_DELIMITERS = ("^", "~", "\x01", ":", " ")
_SAMPLE_LINES = 2_000
_SCORED_LINES = 300
_LONGEST_RECORD_LINES = 100
_KNOWN_NAMES = frozenset(column.name for table in LAYOUT.values() for column in table.columns)
_NAME = re.compile(r"^[^\W\d][\w .()/#%$€&:-]{0,60}$")


@dataclass(frozen=True, slots=True)
class Known:
    """What a person, or a definition, says about how a text file is written; None is found out."""

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header: bool | None = None


@dataclass(frozen=True, slots=True)
class TextShape:
    """How a text file is written. ``columns`` are as in the header, or ``col0…`` without one.

    ``encoding`` is one of ``encoding.detect``; ``newline`` is a line feed or, for files of old Macs, a carriage
    return. ``bom`` is the length in bytes of a byte-order mark. ``trailing``: each line ends with one delimiter too
    many. A file without any line has no columns. A type ``""`` means that the values do not tell.
    """

    delimiter: str
    quote: str
    encoding: str
    header: bool
    columns: tuple[str, ...]
    types: tuple[str, ...]
    newline: str = "\n"
    bom: int = 0
    notations: tuple[Notation, ...] = ()
    trailing: bool = False

    @property
    def width(self) -> int:
        """The number of fields of a line."""
        return len(self.columns) + self.trailing

    @property
    def plainly(self) -> bool:
        """Whether any reader of CSV in UTF-8 sees the values as they are meant."""
        written = (self.encoding, self.bom, self.newline, self.quote, self.trailing)
        return written == ("utf-8", 0, "\n", '"', False) and all(
            replace(one, odd=False) == PLAIN for one in self.notations
        )


UNSAID = Known()
"""Nothing is said: all is found out."""


def sniff(head: bytes, *, whole: bool, more: Sequence[bytes] = (), known: Known = UNSAID) -> TextShape:
    """Return the shape of the file that begins with ``head``; ``whole`` when that is all of it.

    ``more`` are pieces from further on in the file, which only tell about types.
    """
    encoding, bom = detect(head, known.encoding)
    text = decoder(encoding)(head[bom:], False)
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    lines = _lines(text, newline, last=whole)[:_SAMPLE_LINES]
    if not any(line.strip() for line in lines):
        return TextShape(",", '"', encoding, False, (), (), newline, bom)
    delimiter, quote = _delimiter(lines[:_SCORED_LINES], known)
    rows, trailing = _without_trailing(_rows(lines, delimiter, quote))
    header = _has_header(rows) if known.header is None else known.header
    width = len(rows[0])
    names = rows[0] if header else [f"col{index}" for index in range(width)]
    for piece in more:
        found = _lines(decoder(encoding)(piece, False), newline, last=False)[1:_SAMPLE_LINES]
        rows += [row[: len(row) - trailing] for row in _rows(found, delimiter, quote)]
    body = [row for row in rows[header:] if len(row) == width]
    types, notations = judge([[row[index] for row in body] for index in range(width)], delimiter)
    columns = tuple(name.strip() for name in names)
    return TextShape(delimiter, quote, encoding, header, columns, types, newline, bom, notations, trailing)


def column_names(names: Sequence[str]) -> list[str]:
    """Return catalog column names: lower case, none empty, none twice."""
    taken: set[str] = set()
    result: list[str] = []
    for index, name in enumerate(names):
        wanted = name.strip().lower() or f"col{index}"
        unique, count = wanted, 1
        while unique in taken:
            count += 1
            unique = f"{wanted}_{count}"
        taken.add(unique)
        result.append(unique)
    return result


def _lines(text: str, newline: str, *, last: bool) -> list[str]:
    """Return the lines; without ``last`` the one that may be cut off is left out."""
    lines = text.split(newline)
    if len(lines) > 1 and not (last and lines[-1]):
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def _rows(lines: Sequence[str], delimiter: str, quote: str) -> list[list[str]]:
    # Each record for itself: one unclosed quote must not swallow the lines behind it.
    csv.field_size_limit(1 << 24)
    return [row for record in _records(lines, delimiter, quote) for row in _fields(record, delimiter, quote)]


def _fields(record: str, delimiter: str, quote: str) -> list[list[str]]:
    """Return one row, or the rows of single lines where quotes that are none joined them."""
    try:
        if not quote:
            return list(csv.reader([record], delimiter=delimiter, quoting=csv.QUOTE_NONE))
        return list(csv.reader([record], delimiter=delimiter, quotechar=quote))
    except csv.Error:
        return [line.split(delimiter) for line in record.split("\n")]


def _records(lines: Sequence[str], delimiter: str, quote: str) -> list[str]:
    """Join the lines over which a quoted value spans."""
    opens = re.compile(f"(?:^|{re.escape(delimiter)}){quote}")
    records = []
    at = 0
    while at < len(lines):
        taken = 1
        if quote and lines[at].count(quote) % 2 and opens.search(lines[at]):
            quotes = lines[at].count(quote)
            for further in range(at + 1, min(at + _LONGEST_RECORD_LINES, len(lines))):
                quotes += lines[further].count(quote)
                if quotes % 2 == 0:
                    taken = further - at + 1
                    break
        record = "\n".join(lines[at : at + taken])
        if record.strip(" \r\n") and (delimiter == "\t" or record.strip()):
            records.append(record)
        at += taken
    return records


def _delimiter(lines: Sequence[str], given: Known) -> tuple[str, str]:
    """Return the delimiter and the quote."""
    if given.delimiter:
        return given.delimiter, _quote(lines, given.delimiter) if given.quote is None else given.quote
    best, best_score = (",", '"'), (0.0, 0)
    for delimiter in _DELIMITERS:
        quote = _quote(lines, delimiter) if given.quote is None else given.quote
        score = _score(lines, delimiter, quote)
        # Of two that split alike the rarer one wins: with semicolons, commas stand inside the numbers.
        if score[0] > best_score[0]:
            best, best_score = (delimiter, quote), score
    if best_score > (0.0, 0):
        return best
    for delimiter in _RARE_DELIMITERS:
        first = [cell.strip() for cell in lines[0].split(delimiter)]
        if len(first) > 1 and all(_NAME.match(cell) for cell in first) and _score(lines, delimiter, '"')[0] > 0.9:
            return delimiter, '"'
    return ",", _quote(lines, ",") if given.quote is None else given.quote


def _quote(lines: Sequence[str], delimiter: str) -> str:
    mark = re.escape(delimiter)
    counts = {
        quote: sum(
            1 for line in lines if re.search(f"(?:^|{mark}){quote}(?:[^{quote}]|{quote * 2})*{quote}(?:$|{mark})", line)
        )
        for quote in ('"', "'")
    }
    return "'" if not counts['"'] and counts["'"] * 2 >= max(len(lines) - 1, 1) else '"'


def _score(lines: Sequence[str], delimiter: str, quote: str) -> tuple[float, int]:
    """Return (share of lines with the header's number of fields, that number); (0, 0) where nothing is split."""
    rows = _rows(lines, delimiter, quote)
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    widths = Counter(map(len, rows))
    # Lines may all end with a delimiter that the header lacks.
    return round(max(widths[width], widths[width + 1]) / len(rows), 2), width


def _without_trailing(rows: list[list[str]]) -> tuple[list[list[str]], bool]:
    """Take off the empty field behind a delimiter that ends every line."""
    first, body = rows[0], rows[1:]
    width = Counter(map(len, body)).most_common(1)[0][0] if body else len(first)
    behind = [row for row in body if len(row) == width]
    if width < 2 or any(row[-1] for row in behind):
        return rows, False
    if len(first) == width and not first[-1].strip():
        return [first[:-1], *(row[:-1] for row in behind)], True
    if len(first) == width - 1 and behind:
        return [first, *(row[:-1] for row in behind)], True
    return rows, False


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if any(cell.lower() in _KNOWN_NAMES for cell in first):
        return True
    named = [cell for cell in first if cell]
    if not named:
        return False
    # A value is no name: where the first line has a number or a date, it is data.
    if any(_is_value(cell) for cell in named):
        return False
    rest = [row for row in rows[1:] if len(row) == len(first)]
    columns = [[row[index].strip() for row in rest] for index in range(len(first))]
    if any(_has_values(values) for values in columns):
        return True
    # All columns are text: a header looks like names, none of them a value of its own column or written like all of
    # that column's codes.
    if not all(_NAME.match(cell) for cell in named) or len({cell.lower() for cell in named}) != len(named):
        return False
    pairs = list(zip(first, columns, strict=True))
    if any(name and name in values for name, values in pairs):
        return False
    return not any(name and _is_code_like(name, values) for name, values in pairs)


def _is_value(cell: str) -> bool:
    (kind,), (notation,) = judge([[cell]])
    return kind not in ("", "string") or notation.order == "?"


def _has_values(values: Sequence[str]) -> bool:
    (kind,), (notation,) = judge([values])
    return kind not in ("", "string") or notation.order == "?"


def _is_code_like(name: str, values: Sequence[str]) -> bool:
    """Say whether a column holds codes of one form (``AB-12``, addresses of mail) and the name has that form too."""
    forms = {_form(value) for value in values if value}
    return len(forms) == 1 and forms == {_form(name)} and not forms.pop().isalpha()


def _form(value: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", value))
