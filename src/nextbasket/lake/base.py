"""The lake's port: zones that hold files, each written whole or not at all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class Zone(StrEnum):
    """A part of the lake with one purpose; its value is the folder (or bucket prefix) name."""

    LANDING = "landing"
    WAREHOUSE = "warehouse"
    QUARANTINE = "quarantine"
    EXCHANGE = "exchange"
    RESULTS = "results"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class FileRef:
    """One file in a zone: ``key`` is its path inside the zone with ``/`` between parts, ``uri`` what an engine opens.

    ``size`` is in bytes; ``modified`` is an aware UTC time.
    """

    zone: Zone
    key: str
    uri: str
    size: int
    modified: datetime


class Lake(Protocol):
    """A store of files. Adapters: ``local`` (a folder), ``s3`` (any S3 endpoint; extra ``aws``)."""

    def put(self, zone: Zone, key: str, stream: BinaryIO) -> FileRef:
        """Store the stream under ``key``; readers see the whole file or none. An existing key is replaced."""
        ...

    def open(self, ref: FileRef) -> BinaryIO:
        """Open a stored file for reading; raises NotFoundError when it is gone."""
        ...

    def list(self, zone: Zone, prefix: str = "") -> Iterator[FileRef]:
        """Yield the zone's files whose key starts with ``prefix``, ordered by key; unfinished uploads are not shown."""
        ...

    def delete(self, ref: FileRef) -> None:
        """Remove a file; removing one that is gone is no error."""
        ...

    def uri(self, zone: Zone, key: str = "") -> str:
        """Return the URI of a key, or of the whole zone, whether or not anything is there."""
        ...

    def locate(self, uri: str) -> tuple[Zone, str]:
        """Return the zone and key of a URI; raises NotFoundError when it lies in no zone of this lake."""
        ...

    def filesystem(self, uri: str) -> "tuple[FileSystem, str]":
        """Return the file system and the path with which Arrow opens a URI, to read it or to write a staged file."""
        ...

    def iceberg_properties(self) -> Mapping[str, str]:
        """Return the properties with which pyiceberg opens this lake's files now; empty for those of this machine."""
        ...

    def staging(self, run_id: str) -> str:
        """Return the URI of a fresh, empty folder in the warehouse that belongs to one attempt of one run.

        Engines write data files there; a catalog commit makes them part of a table, else ``sweep`` removes them.
        """
        ...

    def sweep(self, older_than: timedelta, keep: Collection[str]) -> Sequence[str]:
        """Delete warehouse files older than ``older_than`` whose URI is not in ``keep``; return what was deleted."""
        ...
