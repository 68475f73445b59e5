"""Count and cut the records of a delimited text file, so that none is lost whatever an engine's reader makes of it.

``examine`` looks at the bytes once, quickly, and says whether a strict engine can be trusted with the file. Where it
cannot, ``RecordReader`` cuts the file record by record, in bounded memory: a clean chunk in one go, a chunk with
something odd line by line. A record that cannot be cut comes out with its reason; the file's other records go on.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 16 << 20
LONGEST_RECORD_LINES = 100
LONGEST_RECORD_BYTES = 1 << 16
_SHOWN_BYTES = 4096
_BLOCK = 1 << 17

LINE, RAW, REASON = "src_line", "src_raw", "src_reason"
"""The columns beside a record's fields: its line in the file from 1, its text as delivered, why it cannot be read."""

UNCLOSED = "a quote is opened and never closed"


class Signs(StrEnum):
    """What all values of a column are made of, when they are not empty."""

    DIGITS = "digits"
    """A whole number without sign or leading zero."""
    ZEROS = "zeros"
    """Digits, here and there with a leading zero."""
    POINTS = "points"
    """Digits and points."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a look at all bytes of a file found.

    ``plain``: no quotes, no broken text, no blank lines, the right number of delimiters; ``records`` is then exact.
    ``digits``: plain, and every value is empty or a whole number without sign or leading zero. ``columns`` says of
    each column what its values are made of.
    """

    plain: bool
    digits: bool = False
    records: int = 0
    columns: tuple[Signs, ...] = ()


_NOT_PLAIN = Anatomy(False)


def examine(stream: BinaryIO, delimiter: str, width: int, *, header: bool) -> Anatomy:
    """Look at a UTF-8 file of ``width`` columns; stops at the first thing that makes it not plain."""
    delim = delimiter.encode()
    if header and not stream.readline().strip():
        return _NOT_PLAIN
    digits, lines, delimiters = True, 0, 0
    columns = _ColumnSigns(delim[0], width)
    carry = b""
    while True:
        block = stream.read(CHUNK_BYTES)
        if block:
            cut = block.rfind(b"\n") + 1
            text, carry = (carry + block[:cut], block[cut:]) if cut else (b"", carry + block)
            if len(carry) > LONGEST_LINE:
                return _NOT_PLAIN
        else:
            text, carry = (carry + b"\n" if carry else b""), b""
        if text:
            if not _is_plain(text):
                return _NOT_PLAIN
            only_digits = digits and not text.translate(None, b"0123456789\r\n" + delim)
            counts = _Counts(text, delim[0], zeros=only_digits)
            if counts.blank:
                return _NOT_PLAIN
            lines += counts.lines
            delimiters += counts.delimiters
            digits = only_digits and not counts.zero_first
            # A file of digits needs no closer look; what came before this block was digits only.
            if not digits and not columns.look(text):
                return _NOT_PLAIN
        if not block:
            break
    if delimiters != lines * (width - 1):
        return _NOT_PLAIN
    return Anatomy(True, digits, lines, columns.found())


def _is_plain(text: bytes) -> bool:
    if b'"' in text or b"\0" in text or text[0] in b"\r\n":
        return False
    if b"\r" in text and (b"\n\r" in text or not text.count(b"\r") == text.count(b"\r\n") == text.count(b"\n")):
        return False
    return _is_utf8(text)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Counts:
    """Counts of a text that begins and ends with a line, taken block by block so that each stays in the cache.

    ``blank``: two line feeds stand together. ``zero_first`` is looked for with ``zeros`` only, in a text of digits,
    delimiters and line ends: some number of several digits begins with a zero.
    """

    def __init__(self, text: bytes, delimiter: int, *, zeros: bool) -> None:
        self.lines = self.delimiters = 0
        self.blank = False
        self.zero_first = zeros and text[0] == 48 and 48 <= text[1] <= 57
        codes = np.frombuffer(text, np.uint8)
        for start in range(0, len(codes), _BLOCK):
            # Two bytes more than the block, so that what stands across its end is seen.
            block = codes[start : start + _BLOCK + 2]
            newline, delimits = block == 10, block == delimiter
            self.lines += int(np.count_nonzero(newline[:_BLOCK]))
            self.delimiters += int(np.count_nonzero(delimits[:_BLOCK]))
            self.blank = self.blank or bool((newline[:-1] & newline[1:]).any())
            if zeros and not self.zero_first:
                begins = (newline | delimits)[:-2] & (block[1:-1] == 48)
                self.zero_first = bool((begins & (block[2:] - np.uint8(48) < 10)).any())


class _ColumnSigns:
    """What the values of each column are made of, in a plain text of ``width`` columns."""

    def __init__(self, delimiter: int, width: int) -> None:
        self._delimiter = delimiter
        self._width = width
        self._others = np.zeros(width, bool)
        self._points = np.zeros(width, bool)
        self._zeros = np.zeros(width, bool)

    def look(self, text: bytes) -> bool:
        """Look at whole lines; says no where a line has another number of delimiters."""
        start = 0
        while start < len(text):
            # Small blocks stay in the cache; a line longer than one is a block of its own.
            end = text.rfind(b"\n", start, start + _BLOCK) + 1 or text.index(b"\n", start) + 1
            if not self._block(np.frombuffer(text, np.uint8)[start:end]):
                return False
            start = end
        return True

    def found(self) -> tuple[Signs, ...]:
        """Return what was seen so far."""
        marks = zip(self._others, self._points, self._zeros, strict=True)
        return tuple(
            Signs.ANY if other else Signs.POINTS if point else Signs.ZEROS if zero else Signs.DIGITS
            for other, point, zero in marks
        )

    def _block(self, codes: npt.NDArray[np.uint8]) -> bool:
        newline = codes == 10
        ends = np.flatnonzero(newline | (codes == self._delimiter))
        if len(ends) % self._width:
            return False
        lines = newline[ends].reshape(-1, self._width)
        if not lines[:, -1].all() or lines[:, :-1].any():
            return False
        digit: npt.NDArray[np.bool_] = np.less(codes - np.uint8(48), 10)
        other = np.logical_not(digit | newline | (codes == self._delimiter) | (codes == 13))
        if other.any():
            point = codes == 46
            self._points |= self._columns(point, ends)
            self._others |= self._columns(other & ~point, ends)
        starts = np.concatenate([[0], ends[:-1] + 1])
        # The sign behind the last is never looked at: a text ends with a line feed.
        zeros = (codes[starts] == 48) & digit[np.minimum(starts + 1, len(codes) - 1)]
        self._zeros[zeros.reshape(-1, self._width).any(axis=0)] = True
        return True

    def _columns(self, marks: npt.NDArray[np.bool_], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Say for each column whether some value has a mark."""
        in_field = np.diff(np.cumsum(marks, dtype=np.int32)[ends], prepend=0)
        found: npt.NDArray[np.bool_] = np.logical_or.reduce(in_field.reshape(-1, self._width) > 0, axis=0)
        return found


class RecordReader:
    """Cuts a UTF-8 file into records.

    ``width`` is the number of fields of a line, ``quote`` the character around values that hold delimiters, if any;
    ``columns`` maps the positions to keep to their names. Iterating gives Arrow tables with ``src_line``, ``src_raw``
    (null where ``raw`` is False, which is faster), ``src_reason`` and the named columns as text (empty is null); a
    record with a reason has no values. ``records`` and ``blank`` count what was read so far.
    """

    def __init__(
        self,
        stream: BinaryIO,
        delimiter: str,
        width: int,
        columns: Sequence[tuple[int, str]],
        *,
        header: bool,
        quote: str = '"',
        raw: bool = True,
    ) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._delim = delimiter.encode()
        self._quote = quote.encode()
        self._width = width
        self._columns = tuple(columns)
        self._header = header
        self._raw = raw
        self._line = 1
        self.records = 0
        self.blank = 0
        known: list[tuple[str, pa.DataType]] = [(LINE, pa.int64()), (RAW, pa.string()), (REASON, pa.string())]
        self.schema = pa.schema(known + [(name, pa.string()) for _, name in columns])
        d, q = re.escape(self._delim), self._quote or b'"'
        value = rb"(?>%b(?:[^%b\n\r]++|%b%b)*+%b|(?:[^%b\n\r%b][^\n\r%b]*+)?+)" % (q, q, q, q, q, q, d, d)
        self._quoted_value = re.compile(rb"%b(?:[^%b]++|%b%b)*+%b" % (q, q, q, q, q))
        line = value + (rb"%b%b" % (d, value)) * (width - 1)
        # Every line of the chunk is one whole record, quoted or not, and no value spans lines.
        self._clean = re.compile(rb"(?:%b\r?\n)*+" % line) if width <= 100 else None

    def __iter__(self) -> Iterator[pa.Table]:
        carry = self._skip_header()
        while True:
            block = self._stream.read(CHUNK_BYTES)
            buffer = carry + block
            if not block:
                if buffer:
                    table, _ = self._chunk(buffer if buffer.endswith(b"\n") else buffer + b"\n", final=True)
                    yield table
                return
            cut = buffer.rfind(b"\n") + 1
            if not cut:
                carry = buffer
                if len(buffer) > LONGEST_LINE:
                    yield self._giant(buffer)
                    carry = self._skip_line()
                continue
            table, used = self._chunk(buffer[:cut], final=False)
            carry = buffer[used:]
            if table.num_rows:
                yield table

    def _skip_header(self) -> bytes:
        while self._header:
            line = self._stream.readline(LONGEST_LINE)
            if not line:
                break
            self._line += 1
            if line.strip():
                break
            self.blank += 1
        return b""

    def _giant(self, start: bytes) -> pa.Table:
        table = self._faulty([(self._line, f"the line is longer than {LONGEST_LINE:,} bytes", start[:_SHOWN_BYTES])])
        self._line += 1
        return table

    def _skip_line(self) -> bytes:
        while block := self._stream.read(CHUNK_BYTES):
            at = block.find(b"\n")
            if at >= 0:
                return block[at + 1 :]
        return b""

    def _chunk(self, text: bytes, *, final: bool) -> tuple[pa.Table, int]:
        """Cut a chunk of whole lines; returns its records and how many of its bytes they took."""
        if b"\0" not in text and _is_utf8(text):
            table = self._unquoted(text) if not self._has_quote(text) else self._quoted(text)
            if table is not None:
                self._line += text.count(b"\n")
                self.records += table.num_rows
                return table, len(text)
        return self._line_by_line(text, final=final)

    def _has_quote(self, text: bytes) -> bool:
        return bool(self._quote) and self._quote in text

    def _unquoted(self, text: bytes) -> pa.Table | None:
        codes = np.frombuffer(text, np.uint8)
        ends = np.flatnonzero(codes == 10)
        if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
            return None
        found = np.diff(np.searchsorted(np.flatnonzero(codes == self._delim[0]), ends), prepend=0)
        lengths = np.diff(ends, prepend=-1) - 1
        if not (found == self._width - 1).all() or (self._width == 1 and (lengths < 2).any()):
            return None
        return self._parsed(text, len(ends), quoted=False)

    def _quoted(self, text: bytes) -> pa.Table | None:
        if self._clean is None or self._clean.fullmatch(text) is None:
            return None
        if self._width == 1 and re.search(rb"(?:\A|\n)\r?\n", text):
            return None
        return self._parsed(text, text.count(b"\n"), quoted=True)

    def _parsed(self, text: bytes, count: int, *, quoted: bool) -> pa.Table | None:
        names = [f"c{index}" for index in range(self._width)]
        kept = [names[index] for index, _ in self._columns]
        table = pa_csv.read_csv(
            io.BytesIO(text),
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._delimiter,
                quote_char=self._quote.decode() if quoted else False,
                ignore_empty_lines=False,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=kept,
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        if kept and table.num_rows != count:
            return None
        columns: list[Any] = [
            pa.array(np.arange(self._line, self._line + count)),
            self._raw_lines(text) if self._raw else pa.nulls(count, pa.string()),
            pa.nulls(count, pa.string()),
            *(table.column(index) for index in range(len(kept))),
        ]
        return pa.table(columns, schema=self.schema)

    def _raw_lines(self, text: bytes) -> Any:
        raw = text.decode().split("\n")[:-1]
        if "\r" in raw[0]:
            raw = [line.removesuffix("\r") for line in raw]
        return pa.array(raw, pa.string())

    def _line_by_line(self, text: bytes, *, final: bool) -> tuple[pa.Table, int]:
        lines = text.split(b"\n")[:-1]
        good: list[tuple[int, str, list[str]]] = []
        faulty: list[tuple[int, str, bytes]] = []
        at = used = 0
        while at < len(lines):
            cut = self._cut(lines, at, final=final)
            if cut is None:
                break
            taken, fields, reason = cut
            raw = b"\n".join(lines[at : at + taken])
            if reason:
                faulty.append((self._line + at, reason, raw))
            elif fields is None:
                self.blank += 1
            else:
                good.append((self._line + at, raw.decode().removesuffix("\r"), fields))
            at += taken
            used += len(raw) + 1
        self._line += at
        self.records += len(good)
        columns: list[Any] = [
            pa.array([line for line, _, _ in good], pa.int64()),
            pa.array([raw for _, raw, _ in good], pa.string()),
            pa.nulls(len(good), pa.string()),
            *(pa.array([fields[index] or None for _, _, fields in good], pa.string()) for index, _ in self._columns),
        ]
        table = pa.table(columns, schema=self.schema)
        return pa.concat_tables([table, self._faulty(faulty)]), used

    def _cut(self, lines: Sequence[bytes], at: int, *, final: bool) -> tuple[int, list[str] | None, str] | None:
        """Cut the record that begins at a line: (lines taken, fields, None if blank, reason); None: read on first."""
        line = lines[at].removesuffix(b"\r")
        if not line.strip():
            return 1, None, ""
        if b"\0" in line:
            return 1, None, "the line holds a NUL byte"
        if not _is_utf8(line):
            return 1, None, "the line is not UTF-8"
        fields = self._fields(line)
        if fields is None:
            taken = 1
            size = len(line)
            while fields is None:
                if at + taken >= len(lines):
                    if not final:
                        return None
                    return 1, None, UNCLOSED
                size += len(lines[at + taken])
                taken += 1
                if taken > LONGEST_RECORD_LINES or size > LONGEST_RECORD_BYTES:
                    return 1, None, UNCLOSED
                fields = self._fields(b"\n".join(lines[at : at + taken]).removesuffix(b"\r"))
            # A value may hold line ends, but only if what results is a whole record: else this line alone is at fault.
            joined = b"".join(lines[at : at + taken])
            if isinstance(fields, str) or len(fields) != self._width or b"\0" in joined or not _is_utf8(joined):
                return 1, None, UNCLOSED
            return taken, [field.decode() for field in fields], ""
        if isinstance(fields, str):
            return 1, None, fields
        if len(fields) != self._width:
            return 1, None, f"the line has {len(fields)} fields instead of {self._width}"
        return 1, [field.decode() for field in fields], ""

    def _fields(self, record: bytes) -> list[bytes] | str | None:
        """Return a record's fields, a sentence when it is malformed, or None when a quote is still open at its end."""
        quote = self._quote
        if not self._has_quote(record):
            return record.split(self._delim)
        fields: list[bytes] = []
        at = 0
        while True:
            if record.startswith(quote, at):
                value = self._quoted_value.match(record, at)
                if value is None:
                    return None
                fields.append(value.group()[1:-1].replace(quote * 2, quote))
                at = value.end()
                if at == len(record):
                    return fields
                if not record.startswith(self._delim, at):
                    return "text follows a closing quote"
                at += 1
            else:
                end = record.find(self._delim, at)
                if end < 0:
                    fields.append(record[at:])
                    return fields
                fields.append(record[at:end])
                at = end + 1

    def _faulty(self, found: Sequence[tuple[int, str, bytes]]) -> pa.Table:
        self.records += len(found)
        columns: list[Any] = [
            pa.array([line for line, _, _ in found], pa.int64()),
            pa.array([_shown(raw) for _, _, raw in found], pa.string()),
            pa.array([reason for _, reason, _ in found], pa.string()),
            *(pa.nulls(len(found), pa.string()) for _ in self._columns),
        ]
        return pa.table(columns, schema=self.schema)


def _shown(raw: bytes) -> str:
    return raw.removesuffix(b"\r").decode(errors="backslashreplace").replace("\0", "\\x00")
