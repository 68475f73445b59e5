"""Read landed files as plain bytes, whatever their compression, encoding and line ends."""

import codecs
import gzip
import io
import zlib
from typing import BinaryIO, cast

from nextbasket.errors import InputError
from nextbasket.ingest.sniff import HEAD_BYTES, TextShape, sniff
from nextbasket.lake.base import FileRef, Lake

_BLOCK = 1 << 20


def is_parquet(ref: FileRef) -> bool:
    """Say whether a landed file is Parquet, by its name."""
    return ref.key.lower().endswith(".parquet")


def compression(ref: FileRef) -> str:
    """Return ``gzip`` or ``none``, by the file's name."""
    return "gzip" if ref.key.lower().endswith(".gz") else "none"


def open_unpacked(lake: Lake, ref: FileRef) -> BinaryIO:
    """Open a landed text file with its compression taken off; reading raises InputError for a damaged one."""
    stream = lake.open(ref)
    if compression(ref) == "none":
        return stream
    return cast(BinaryIO, io.BufferedReader(_Unpacking(stream, ref.key), _BLOCK))


def shape_of(lake: Lake, ref: FileRef) -> TextShape:
    """Sniff a landed text file."""
    with open_unpacked(lake, ref) as stream:
        head = stream.read(HEAD_BYTES)
        more = stream.read(1)
    return sniff(head, whole=not more)


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
    """A gzip file's content; what is wrong with the file is said in one sentence."""

    def __init__(self, stream: BinaryIO, key: str) -> None:
        self._stream = stream
        self._unpacked = gzip.GzipFile(fileobj=stream)
        self._key = key

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        try:
            block = self._unpacked.read(len(view))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
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
        self._plain = shape.encoding == "utf-8"
        # Bytes that mean nothing in the encoding become U+FFFD; UTF-8 itself is not decoded, only its line ends change.
        self._decoder = codecs.getincrementaldecoder("latin-1" if self._plain else shape.encoding)(errors="replace")
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
            text = self._decoder.decode(block, final=self._done)
            if self._newline == "\r":
                text = text.replace("\r", "\n")
            self._rest = text.encode("latin-1" if self._plain else "utf-8")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
