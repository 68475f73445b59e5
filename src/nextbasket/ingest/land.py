"""Copy a shop's files into landing, as they are: folders, single files and archives.

Raw files are never changed and never overwritten. Contents that are already there are not landed again.
"""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from nextbasket.errors import InputError
from nextbasket.ingest.content import HashingStream, LandedContent, State
from nextbasket.ingest.corrections import delivery_name
from nextbasket.ingest.naming import landing_key, with_hash
from nextbasket.ingest.sources import Member, Source
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.progress import Progress, silent

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file of a source: the landing key that holds its content, and whether it was there before (``known``)."""

    source: str
    key: str
    sha256: str
    bytes: int
    known: bool = False


@dataclass(frozen=True, slots=True)
class LandReport:
    """What ``land`` did; ``ignored`` names the files that hold no tables."""

    files: tuple[LandedFile, ...]
    ignored: tuple[str, ...] = ()

    @property
    def landed(self) -> tuple[LandedFile, ...]:
        """The files that were new."""
        return tuple(file for file in self.files if not file.known)

    @property
    def known(self) -> tuple[LandedFile, ...]:
        """The files whose content was in landing already."""
        return tuple(file for file in self.files if file.known)

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "landed": [{"key": file.key, "bytes": file.bytes} for file in self.landed],
            "known": [{"source": file.source, "key": file.key} for file in self.known],
            "ignored": list(self.ignored),
        }


class Landing:
    """Lands files. ``largest_member`` bounds in bytes what a member of an archive or a gzip file may unpack to.

    ``turn`` is held while files are put: two contents that come under one name at the same moment must both be kept.
    """

    def __init__(
        self,
        lake: Lake,
        state: State,
        *,
        largest_member: int = 50 * 10**9,
        turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._lake = lake
        self._state = state
        self._largest = largest_member
        self._turn = turn

    def land(self, paths: Sequence[Path], table: str | None = None, progress: Progress = silent) -> LandReport:
        """Land files, folders and archives; ``table`` names the landing table for all of them, else their names do.

        Compressed sources are read to their end first: when one cannot be, nothing at all is landed. Raises
        InputError that holds every fault.
        """
        sources = [Source(Path(path), self._largest) for path in paths]
        faults = []
        for source in sources:
            progress(f"checking {source.path.name}", None)
            faults += source.check()
        if faults:
            raise InputError("\n".join(faults))
        files: list[LandedFile] = []
        with self._turn():
            run = _Run(self._lake, LandedContent(self._lake, self._state))
            try:
                for source in sources:
                    for member in source.members():
                        key = landing_key(member.path, table)
                        progress(f"landing {key}", None)
                        files.append(run.land(member, key))
            finally:
                run.content.save()
        if not files:
            listed = ", ".join(str(path) for path in paths)
            raise InputError(
                f"there is no file of a known form in {listed} (docs/files.md lists them); name the folder or archive "
                "with the tables."
            )
        return LandReport(tuple(files), tuple(name for source in sources for name in source.ignored))


class _Run:
    def __init__(self, lake: Lake, content: LandedContent) -> None:
        self._lake = lake
        self.content = content
        self._there: dict[str, dict[str, FileRef]] = {}
        for ref in lake.list(Zone.LANDING):
            self._there.setdefault(_table(ref.key), {})[ref.key] = ref

    def land(self, member: Member, key: str) -> LandedFile:
        beside = self._there.setdefault(_table(key), {})
        # Only a file of the same size can be the same: all others are hashed while they are copied, in one pass.
        alike = [ref for ref in beside.values() if member.size is None or ref.size == member.size]
        if not alike and key not in beside:
            return self._put(member, member.stream, key, beside)
        with _Kept() if member.rereadable else tempfile.TemporaryFile() as spool:
            stream, sha256, size = _hashed(member.stream, spool)
            for ref in alike:
                if self.content.sha256(ref) == sha256 and not self._corrects(key, ref, sha256, beside):
                    return LandedFile(str(member.path), ref.key, sha256, size, known=True)
            if key in beside:
                key = with_hash(key, sha256)
            return self._put(member, stream, key, beside)

    def _corrects(self, key: str, ref: FileRef, sha256: str, beside: Mapping[str, FileRef]) -> bool:
        """Say whether a content that another delivery has as well is new for the delivery of this name."""
        name = delivery_name(key, sha256)
        return name is not None and key in beside and delivery_name(ref.key, sha256) != name

    def _put(self, member: Member, stream: BinaryIO, key: str, beside: dict[str, FileRef]) -> LandedFile:
        with HashingStream(stream) as hashing:
            ref = self._lake.put(Zone.LANDING, key, cast(BinaryIO, hashing))
        beside[ref.key] = ref
        self.content.remember(ref, hashing.hexdigest())
        return LandedFile(str(member.path), ref.key, hashing.hexdigest(), hashing.bytes)


class _Kept:
    """Stands where no copy is needed: the stream itself can be read twice."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _hashed(stream: BinaryIO, spool: BinaryIO | None) -> tuple[BinaryIO, str, int]:
    """Hash a stream to its end; return it, or its copy in ``spool``, at the beginning again."""
    digest = hashlib.sha256()
    size = 0
    while block := stream.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if spool is not None:
            spool.write(block)
    again = stream if spool is None else spool
    again.seek(0)
    return again, digest.hexdigest(), size


def _table(key: str) -> str:
    return key.split("/", 1)[0]
