"""S3 for DuckDB: Arrow's own S3 file system, handed over as fsspec's.

DuckDB's extension for S3 is downloaded at run time and may not be had; s3fs would bring a second stack of AWS clients.
"""

import io
from typing import Any

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import FileSystem


class S3Files(ArrowFSWrapper):  # type: ignore[misc] # fsspec has no types
    """The objects that ``filesystem`` (Arrow's S3 file system) reaches, under URIs ``s3://bucket/name``.

    Made for one query: what S3 once said of an object is not asked again. DuckDB asks for size and time of change at
    each of the many times it opens a file, and each question would be a request.
    """

    protocol = "s3"
    cachable = False  # fsspec would give a new one the credentials of an old one

    def __init__(self, filesystem: FileSystem) -> None:
        super().__init__(filesystem)
        self._known: dict[str, dict[str, Any]] = {}
        self._opened: dict[str, Any] = {}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        # As it is: fsspec's own takes "?" and "#" in a name for parts of a URL.
        return path.removeprefix("s3://")

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return what is known of a file or folder: ``name``, ``size`` in bytes, ``type``, ``mtime``."""
        name = self._strip_protocol(path)
        found = self._known.get(name)
        if found is None:
            found = dict(super().info(name, **options))
            if found["type"] == "file":
                self._known[name] = found
        return found

    def modified(self, path: str) -> Any:
        """Return a file's time of change."""
        return self.info(path)["mtime"]

    def glob(self, path: str, maxdepth: int | None = None, **options: Any) -> Any:
        """Return the file of that name, if there is one: no name in a lake has the signs of a pattern."""
        if any(sign in path for sign in "*?["):
            return super().glob(path, maxdepth, **options)
        return [self._strip_protocol(path)] if self.exists(path) else []

    def open(self, path: str, mode: str = "rb", *arguments: Any, **options: Any) -> Any:
        """Open a file; all that read the same one share Arrow's, which is safe for threads."""
        name = self._strip_protocol(path)
        if mode == "rb":
            if name not in self._opened:
                self._opened[name] = self.fs.open_input_file(name)
            return _Reader(self._opened[name], int(self.info(name)["size"]))
        self._forget(name)
        return super().open(path, mode, *arguments, **options)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self._forget(self._strip_protocol(path))
        super().rm_file(path)

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        self._opened.pop(name, None)

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:
        """Do nothing: S3 has no folders, and an object standing for one would only lie around."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing, as ``mkdir``."""

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder; one with nothing in it is empty, whether or not somebody made it."""
        try:
            return super().ls(path, detail=detail, **options)
        except FileNotFoundError:
            return []

    def size_of(self, uri: str) -> int:
        """Return a file's bytes."""
        return int(self.info(uri)["size"])


class _Reader(io.RawIOBase):
    """A position of its own in a file of ``size`` bytes that others read too."""

    def __init__(self, file: Any, size: int) -> None:
        self._file = file
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        content: bytes = self._file.read_at(wanted, self._position) if wanted else b""
        self._position += len(content)
        return content
