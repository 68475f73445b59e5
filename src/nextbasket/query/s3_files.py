"""S3 for DuckDB: Arrow's own S3 file system, handed over as fsspec's.

DuckDB's extension for S3 is downloaded at run time and may not be had; s3fs would bring a second stack of AWS clients.
"""

from typing import Any

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import FileSystem


class S3Files(ArrowFSWrapper):  # type: ignore[misc] # fsspec has no types
    """The objects that ``filesystem`` (Arrow's S3 file system) reaches, under URIs ``s3://bucket/name``."""

    protocol = "s3"
    cachable = False  # fsspec would give a new one the credentials of an old one

    def __init__(self, filesystem: FileSystem) -> None:
        super().__init__(filesystem)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        # As it is: fsspec's own takes "?" and "#" in a name for parts of a URL.
        return path.removeprefix("s3://")

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """List a folder; fsspec's default is details, Arrow's wrapper has it the other way round."""
        return super().ls(path, detail=detail, **options)

    def size_of(self, uri: str) -> int:
        """Return an object's bytes."""
        return int(self.info(uri)["size"])
