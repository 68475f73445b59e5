"""Read landed files as plain bytes, whatever their form, compression, encoding and line ends.

A workbook is read as CSV and a JSON document as JSON lines: so there are three forms of content, ``csv`` and ``json``
(lines of text) and those that have types of their own (``parquet``, ``avro``, ``orc``).
"""

import bz2
import gzip
import io
import lzma
import zlib
from typing import BinaryIO, cast

import pyarrow as pa

from nextbasket.errors import InputError
from nextbasket.ingest.encoding import decoder
from nextbasket.ingest.sniff import HEAD_BYTES, UNSAID, Known, TextShape, sniff
from nextbasket.ingest.workbook import as_csv
from nextbasket.lake.base import FileRef, Lake

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
"""File names that hold delimited text, before the suffix of a compression."""

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
"""File names that hold JSON, before the suffix of a compression."""

COMPRESSIONS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""Compressions of text files by suffix, as definitions name them."""

_WORKBOOKS = (".xlsx", ".xls", ".xlsb", ".ods")
_TYPED = {".parquet": "parquet", ".avro": "avro", ".orc": "orc"}
_BLOCK = 1 << 20
_LONGEST_HEAD = 16 << 20
_PIECES = 8
_PIECE_BYTES = 1 << 15
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowInvalid)

DATA_SUFFIXES = (
    *(text + packed for text in (*TEXT_SUFFIXES, *JSON_SUFFIXES) for packed in ("", *COMPRESSIONS)),
    *_TYPED,
    *_WORKBOOKS,
)
"""File names that are landed as they are."""


def form_of(name: str) -> str:
    """Return a file's form by its name: ``csv``, ``json``, ``parquet``, ``avro``, ``orc`` or ``excel``."""
    lowered = name.lower()
    for suffix, form in _TYPED.items():
        if lowered.endswith(suffix):
            return form
    if lowered.endswith(_WORKBOOKS):
        return "excel"
    for suffix in COMPRESSIONS:
        lowered = lowered.removesuffix(suffix)
    return "json" if lowered.endswith(JSON_SUFFIXES) else "csv"


def is_parquet(ref: FileRef) -> bool:
    """Say whether a landed file is Parquet, by its name."""
    return form_of(ref.key) == "parquet"


def compression(ref: FileRef) -> str:
    """Return ``gzip``, ``bzip2``, ``xz``, ``zstd`` or ``none``, by the file's name."""
    return compression_of(ref.key)


def compression_of(name: str) -> str:
    """Return the compression of a file of this name."""
    lowered = name.lower()
    return next((kind for suffix, kind in COMPRESSIONS.items() if lowered.endswith(suffix)), "none")


def open_unpacked(lake: Lake, ref: FileRef) -> BinaryIO:
    """Open a landed text file with its compression taken off; reading raises InputError for a damaged one.

    A workbook comes as CSV.
    """
    stream = lake.open(ref)
    if form_of(ref.key) == "excel":
        with stream:
            return io.BytesIO(as_csv(stream, f"landing/{ref.key}"))
    kind = compression(ref)
    if kind == "none":
        return stream
    return cast(BinaryIO, io.BufferedReader(_Unpacking(stream, unpacking(stream, kind), ref.key), _BLOCK))


def unpacking(stream: BinaryIO, compression: str) -> BinaryIO:
    """Return a stream of the content of a compressed one."""
    if compression == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if compression == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(stream))
    if compression == "xz":
        return cast(BinaryIO, lzma.LZMAFile(stream))
    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(cast(io.IOBase, stream), mode="r"), "zstd"))


def shape_of(lake: Lake, ref: FileRef, known: Known = UNSAID) -> TextShape:
    """Sniff a landed text file: its beginning, and for the types some pieces further on where they can be reached."""
    with open_unpacked(lake, ref) as stream:
        head = stream.read(HEAD_BYTES)
        while len(head) < _LONGEST_HEAD and b"\n" not in head and (further := stream.read(HEAD_BYTES)):
            head += further
        more = stream.read(1)
        pieces = pieces_of(stream, ref, len(head)) if more and b"\0" not in head else []
    return sniff(head, whole=not more, more=pieces, known=known)


def pieces_of(stream: BinaryIO, ref: FileRef, begin: int) -> list[bytes]:
    """Return some pieces of a file from further on than its first ``begin`` bytes, where they can be reached."""
    if compression(ref) != "none" or not stream.seekable():
        return []
    pieces = []
    step = (ref.size - begin) // _PIECES
    for number in range(1, _PIECES + 1):
        stream.seek(max(begin, begin + number * step - _PIECE_BYTES))
        pieces.append(stream.read(_PIECE_BYTES))
    return pieces


def open_utf8(lake: Lake, ref: FileRef, shape: TextShape) -> BinaryIO:
    """Open a landed text file as UTF-8 without byte-order mark and with line feeds as line ends.

    Bytes that are no UTF-8 in a file that is meant to be UTF-8 come through as they are.
    """
    stream = open_unpacked(lake, ref)
    stream.read(shape.bom)
    if shape.encoding == "utf-8" and shape.newline == "\n":
        return stream
    return cast(BinaryIO, io.BufferedReader(_Transcoding(stream, shape), _BLOCK))


class _Unpacking(io.RawIOBase):
    """A compressed file's content; what is wrong with the file is said in one sentence."""

    def __init__(self, stream: BinaryIO, unpacked: BinaryIO, key: str) -> None:
        self._stream = stream
        self._unpacked = unpacked
        self._key = key

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            block = self._unpacked.read(len(view))
        except _DAMAGED as error:
            raise InputError(
                f"landing/{self._key} is cut off or damaged and cannot be unpacked to its end ({error}); "
                "delete it there and land a whole copy."
            ) from error
        view[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._unpacked.close()
        self._stream.close()
        super().close()


class _Transcoding(io.RawIOBase):
    """A text in another encoding, or with old Macs' line ends, as UTF-8."""

    def __init__(self, stream: BinaryIO, shape: TextShape) -> None:
        self._stream = stream
        # UTF-8 itself is not decoded, only its line ends change.
        self._plain = shape.encoding == "utf-8"
        self._decode = decoder(shape.encoding)
        self._newline = shape.newline
        self._rest = b""
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        while not self._rest and not self._done:
            block = self._stream.read(_BLOCK)
            self._done = not block
            self._rest = block if self._plain else self._decode(block, self._done).encode()
            if self._newline == "\r":
                self._rest = self._rest.replace(b"\r", b"\n")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
