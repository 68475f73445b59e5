"""Read an object of S3 as a seekable stream, a range at a time."""

import io
from typing import Any

from nextbasket.errors import NotFoundError
from nextbasket.lake.aws_access import aws_errors, is_refusal

_FIRST = 256 * 1024
_LARGEST = 8 * 1024 * 1024


class S3Reader(io.RawIOBase):
    """One version of one object: when it is replaced meanwhile, reading on raises NotFoundError, never mixed bytes.

    Ranges grow while reading goes straight on and start small again after a seek, so that a look at a file's head or
    footer costs little and reading it whole costs few requests.
    """

    def __init__(self, client: Any, bucket: str, key: str, size: int, etag: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._size = size
        self._etag = etag
        self._position = 0
        self._window = b""
        self._window_start = 0
        self._range = _FIRST

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which may lie beyond the end; nothing is read until asked for."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}, before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next, at least one byte before the end."""
        wanted = memoryview(buffer).cast("B")
        if self._position >= self._size or not wanted:
            return 0
        end = self._window_start + len(self._window)
        if not self._window_start <= self._position < end:
            self._range = min(self._range * 2, _LARGEST) if self._window and self._position == end else _FIRST
            self._window = self._fetch(self._position, max(self._range, min(len(wanted), _LARGEST)))
            self._window_start = self._position
        start = self._position - self._window_start
        piece = self._window[start : start + len(wanted)]
        wanted[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fetch(self, start: int, size: int) -> bytes:
        from botocore.exceptions import ClientError

        uri = f"s3://{self._bucket}/{self._key}"
        last = min(start + size, self._size) - 1
        with aws_errors("read", uri):
            try:
                found = self._client.get_object(
                    Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{last}", IfMatch=self._etag
                )
            except ClientError as error:
                if is_refusal(error, "PreconditionFailed", "412", "NoSuchKey", "404"):
                    raise NotFoundError(
                        f"the file {uri} was replaced or deleted while it was read; try again."
                    ) from error
                raise
            content: bytes = found["Body"].read()
        return content
