"""What ``land`` is given, opened as a stream of named members: files, folders, zip and tar archives.

A member's stream must be read before the next member is asked for: archives are never unpacked whole in memory.
"""

import io
import lzma
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import pyarrow as pa

from nextbasket.errors import InputError
from nextbasket.ingest.landed import DATA_SUFFIXES, compression_of, unpacking
from nextbasket.ingest.naming import names_a_table

_ZIP = (".zip",)
_TAR = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz")
_BLOCK = 1 << 20
_MOST_MEMBERS = 100_000
_UNREADABLE = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    pa.ArrowInvalid,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One data file of a source: its path inside the source, its size in bytes if known, and its stream.

    ``rereadable``: the stream can be read a second time from its beginning.
    """

    path: PurePosixPath
    size: int | None
    stream: BinaryIO
    rereadable: bool = False


def is_data(name: str) -> bool:
    """Say whether a file of this name is landed as it is."""
    return name.lower().endswith(DATA_SUFFIXES)


def is_archive(name: str) -> bool:
    """Say whether a file of this name is unpacked."""
    return name.lower().endswith((*_ZIP, *_TAR))


def is_junk(path: PurePosixPath) -> bool:
    """Say whether a member is no table: hidden files, what macOS leaves behind, a readme or a licence."""
    about = path.name.lower().startswith(("readme", "license", "licence")) and path.suffix.lower() in ("", ".txt")
    return about or any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


class Source:
    """One path given to ``land``; ``largest`` bounds in bytes what any archive member or gzip file unpacks to."""

    def __init__(self, path: Path, largest: int) -> None:
        self.path = path
        self._largest = largest
        self.ignored: list[str] = []

    def check(self) -> list[str]:
        """Read to their end the archives and gzip files of this source; return one sentence for each fault found."""
        faults: list[str] = []
        for file, relative in self._files():
            try:
                for member in self._members(file, relative):
                    packed = compression_of(member.path.name)
                    if packed != "none":
                        unpacked = unpacking(member.stream, packed)
                        _read_to_end(cast(BinaryIO, _Limited(unpacked, self._largest, member.path.name)))
                    elif is_archive(file.name):
                        _read_to_end(member.stream)
            except InputError as error:
                faults.append(str(error))
            except _UNREADABLE as error:
                faults.append(_damaged(file, error))
        return faults

    def members(self) -> Iterator[Member]:
        """Yield the data files; call ``check`` first. Names what is left out in ``ignored``."""
        self.ignored.clear()
        for file, relative in self._files():
            yield from self._members(file, relative, note=True)

    def _files(self) -> Iterator[tuple[Path, PurePosixPath]]:
        if not self.path.exists():
            raise InputError(f"there is no file or folder {self.path}; check the path.")
        if self.path.is_file():
            yield self.path, PurePosixPath(self.path.name)
            return
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                file = Path(folder) / name
                relative = PurePosixPath(file.relative_to(self.path).as_posix())
                if not is_junk(relative):
                    yield file, relative

    def _members(self, file: Path, relative: PurePosixPath, *, note: bool = False) -> Iterator[Member]:
        name = file.name.lower()
        if is_data(name):
            with file.open("rb") as stream:
                yield Member(relative, file.stat().st_size, stream, rereadable=True)
        elif is_archive(name):
            # A name inside an archive stands for itself: a folder that holds all members is only the archive's wrapper.
            inside = self._tar(file) if name.endswith(_TAR) else self._zip_file(file)
            wrapper = _wrapper(self._names(file))
            for member in inside:
                path = _safe(member.path, file)
                if is_junk(path):
                    continue
                if not is_data(path.name):
                    if note:
                        self.ignored.append(f"{file.name}: {path}")
                    continue
                if wrapper is not None:
                    path = path.relative_to(wrapper)
                yield Member(relative.parent / path, member.size, member.stream)
        elif file == self.path:
            known = ", ".join((*(name for name in DATA_SUFFIXES if name.count(".") == 1), *_ZIP, *_TAR))
            raise InputError(f"cannot land {file}: its name ends in none of {known}.")
        elif note:
            self.ignored.append(str(relative))

    def _names(self, file: Path) -> list[PurePosixPath]:
        if file.name.lower().endswith(_TAR):
            with tarfile.open(file, "r:*") as archive:
                return [PurePosixPath(member.name) for member in archive if member.isfile()]
        with zipfile.ZipFile(file) as zipped:
            return [PurePosixPath(info.filename.replace("\\", "/")) for info in zipped.infolist() if not info.is_dir()]

    def _tar(self, file: Path) -> Iterator[Member]:
        with tarfile.open(file, "r|*") as archive:
            for count, info in enumerate(archive):
                self._check_count(count, file.name)
                if not info.isfile():
                    continue
                self._check_size(info.size, info.name, file.name)
                stream = archive.extractfile(info)
                if stream is not None:
                    yield Member(PurePosixPath(info.name), info.size, cast(BinaryIO, stream))

    def _zip_file(self, file: Path) -> Iterator[Member]:
        with file.open("rb") as opened:
            yield from self._zip(opened, file.name)

    def _zip(self, opened: BinaryIO, name: str, *, nested: bool = False) -> Iterator[Member]:
        with zipfile.ZipFile(opened) as archive:
            for count, info in enumerate(archive.infolist()):
                self._check_count(count, name)
                if info.is_dir():
                    continue
                path = PurePosixPath(info.filename.replace("\\", "/"))
                self._check_size(info.file_size, info.filename, name)
                if info.flag_bits & 1:
                    raise InputError(f"{name} is protected with a password; unpack it and land the files.")
                with archive.open(info) as stream:
                    limited = _Limited(cast(BinaryIO, stream), self._largest, f"{info.filename} in {name}")
                    if path.name.lower().endswith(_ZIP) and not nested:
                        # Published sets are zips of one-file zips: the inner one needs a seekable file.
                        with tempfile.TemporaryFile() as unpacked:
                            while block := limited.read(_BLOCK):
                                unpacked.write(block)
                            unpacked.seek(0)
                            for inner in self._zip(cast(BinaryIO, unpacked), path.name, nested=True):
                                yield Member(path.parent / inner.path, inner.size, inner.stream)
                    else:
                        yield Member(path, info.file_size, cast(BinaryIO, limited))

    def _check_size(self, size: int, member: str, archive: str) -> None:
        if size > self._largest:
            raise InputError(_too_large(f"{member} in {archive}", self._largest))

    def _check_count(self, count: int, archive: str) -> None:
        if count >= _MOST_MEMBERS:
            raise InputError(f"{archive} holds more than {_MOST_MEMBERS} files; unpack it and land the folder.")


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than its limit, whatever an archive's headers claim."""

    def __init__(self, stream: BinaryIO, limit: int, what: str) -> None:
        self._stream = stream
        self._left = limit
        self._limit = limit
        self._what = what

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        block = self._stream.read(_BLOCK if size is None or size < 0 else size)
        self._left -= len(block)
        if self._left < 0:
            raise InputError(_too_large(self._what, self._limit))
        return block


def _read_to_end(stream: BinaryIO) -> None:
    while stream.read(_BLOCK):
        pass


def _too_large(what: str, limit: int) -> str:
    setting = "landing.largest_member_gb"
    return f"{what} unpacks to more than {limit / 1e9:g} GB; if that is right, raise the setting {setting}."


def _damaged(file: Path, error: BaseException) -> str:
    if isinstance(error, EOFError) or "end" in str(error).lower():
        return f"{file.name} is cut off: it ends in the middle of its compressed data; copy or download it again."
    return f"{file.name} is damaged and cannot be read to its end ({error}); copy or download it again."


def _safe(path: PurePosixPath, archive: Path) -> PurePosixPath:
    text = str(path)
    if path.is_absolute() or ".." in path.parts or re.search(r"[\x00-\x1f\\]", text) or re.match(r"^[A-Za-z]:", text):
        raise InputError(f"{archive.name} holds the unsafe name {text!r}; unpack it yourself and land the files.")
    return path


def _wrapper(names: list[PurePosixPath]) -> PurePosixPath | None:
    """Return the one folder around all data files of an archive, unless it is itself a table of the layout."""
    useful = [path for path in names if not is_junk(path)]
    tops = {path.parts[0] for path in useful if len(path.parts) > 1}
    if len(tops) != 1 or any(len(path.parts) == 1 for path in useful):
        return None
    top = tops.pop()
    if names_a_table(top) or "=" in top:
        return None
    return PurePosixPath(top)
