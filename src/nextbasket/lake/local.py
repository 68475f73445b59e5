"""The lake on a laptop: a zone is a folder of the shop home, a key is the path inside it.

URIs are plain absolute paths. DuckDB, pyiceberg, Arrow and Spark all take a plain path as it is, whereas each decodes
``file://`` in its own way, so that a ``%``, ``#`` or space in a name would mean different files to different engines.
Only the signs of patterns (``* ? [ ] { }``) have no form that all take: DuckDB reads ``a*.csv`` as every file that
matches, also when a file has that very name. A home or file named with one is refused, not read as something else.
(A colon or backslash in a file's name is fine for all but Spark, which fails on it.)

Layout of the warehouse: ``warehouse/data/<run>/<unique>/`` holds data files, where they are written and where they
stay once committed; ``warehouse/tables/<database>/<table>/metadata/`` holds Iceberg's metadata.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nextbasket.errors import HomeError, InputError, NotFoundError
from nextbasket.lake.base import FileRef, Zone
from nextbasket.lake.faults import home_errors
from nextbasket.lake.keys import PATTERN, check_key, encodes, run_folder

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")
_COPY_BYTES = 1 << 20


class LocalLake:
    """Zones as folders of ``home``; ``clock`` returns an aware time and decides what is old enough to sweep.

    A hidden name (one that starts with a dot) is never listed: uploads are written under one and renamed when whole.
    """

    def __init__(self, home: Path, clock: Callable[[], datetime]) -> None:
        self._home = Path(os.path.abspath(home))  # noqa: PTH100 - resolve() would follow a link the user chose
        self._clock = clock
        if PATTERN.search(str(self._home)):
            raise HomeError(
                f"the shop home {self._home} cannot have one of the signs * ? [ ] {{ }} in its path, "
                "which query engines take for a pattern; choose another folder (--home)."
            )

    def put(self, zone: Zone, key: str, stream: BinaryIO) -> FileRef:
        """Store the stream under ``key``; readers see the whole file or none. An existing key is replaced.

        Raises InputError for a key that cannot name a file here, HomeError when the home cannot be written.
        """
        target = self._path(zone, key)
        temporary = target.parent / f".{secrets.token_hex(8)}.part"
        with home_errors("write", target):
            if target.is_dir():
                raise InputError(f"cannot write {target}: it is a folder; choose another key.")
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    shutil.copyfileobj(stream, file, _COPY_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync_folder(target.parent)
            return self._ref(zone, key, target.stat())

    def open(self, ref: FileRef) -> BinaryIO:
        """Open a stored file for reading; raises NotFoundError when it is gone."""
        path = self._path(ref.zone, ref.key)
        with home_errors("read", path):
            try:
                return path.open("rb")
            except FileNotFoundError as error:
                raise NotFoundError(f"the file {path} is gone; list the zone again.") from error

    def list(self, zone: Zone, prefix: str = "") -> Iterator[FileRef]:
        """Yield the zone's files whose key starts with ``prefix``, ordered by key; hidden names are not shown.

        Needs no index: files copied into a zone's folder by hand are listed as they are. Raises InputError for a
        name that engines cannot open and for a link that points nowhere: skipping either would lose data silently.
        """
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        root = self._home / zone.value
        start = root / folder if folder else root
        with home_errors("list", start):
            yield from self._walk(zone, start, f"{folder}/" if folder else "", prefix, ())

    def delete(self, ref: FileRef) -> None:
        """Remove a file; removing one that is gone is no error."""
        path = self._path(ref.zone, ref.key)
        with home_errors("delete", path):
            path.unlink(missing_ok=True)

    def set_modified(self, ref: FileRef, modified: datetime) -> FileRef:
        """Give a stored file another time of change: a file that is written again keeps its place among others."""
        path = self._path(ref.zone, ref.key)
        with home_errors("write", path):
            os.utime(path, (modified.timestamp(), modified.timestamp()))
            return self._ref(ref.zone, ref.key, path.stat())

    def uri(self, zone: Zone, key: str = "") -> str:
        """Return the URI of a key, or of the whole zone, whether or not anything is there."""
        return str(self._path(zone, key)) if key else str(self._home / zone.value)

    def locate(self, uri: str) -> tuple[Zone, str]:
        """Return the zone and key of a URI; raises NotFoundError when it lies in no zone of this lake."""
        # normpath collapses "..", so a path cannot leave its zone unseen.
        path = Path(os.path.normpath(uri))
        for zone in Zone:
            root = self._home / zone.value
            if path == root:
                return zone, ""
            if path.is_relative_to(root):
                return zone, path.relative_to(root).as_posix()
        raise NotFoundError(f"{uri} is not in the lake at {self._home}; its zones are {', '.join(Zone)}.")

    def filesystem(self, uri: str) -> "tuple[FileSystem, str]":
        """Return the file system and the path with which Arrow opens a URI."""
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), uri

    def iceberg_properties(self) -> Mapping[str, str]:
        """Return nothing: pyiceberg opens plain paths as they are."""
        return {}

    def staging(self, run_id: str) -> str:
        """Return a fresh, empty folder ``warehouse/data/<run>/<unique>`` for one attempt of one run.

        Data files stay where they are written: a commit refers to them in place.
        """
        folder = self._home / Zone.WAREHOUSE.value / "data" / run_folder(run_id) / secrets.token_hex(8)
        with home_errors("write", folder):
            folder.mkdir(parents=True)
        return str(folder)

    def sweep(self, older_than: timedelta, keep: Collection[str]) -> Sequence[str]:
        """Delete warehouse files older than ``older_than`` whose URI is not in ``keep``; return what was deleted.

        ``keep`` must be complete: the catalog's ``referenced_files()``. Unfinished uploads of that age go too, from
        every zone, and so do the folders of the warehouse that this empties.
        """
        before = (self._clock() - older_than).timestamp()
        kept = keep if isinstance(keep, set | frozenset) else set(keep)
        deleted: list[str] = []
        emptied: set[Path] = set()
        with home_errors("delete old files in", self._home):
            for zone in Zone:
                root = self._home / zone.value
                for name, _, files in os.walk(root, topdown=False):
                    folder = Path(name)
                    for file in files:
                        path = folder / file
                        candidate = zone is Zone.WAREHOUSE and str(path) not in kept
                        if (candidate or _TEMPORARY.fullmatch(file)) and _delete_older(path, before):
                            deleted.append(str(path))
                            emptied.add(folder)
                    # Deleting its files made a folder look fresh; an empty one that is fresh without that may be the
                    # staging of a run that has not written yet.
                    removable = zone is Zone.WAREHOUSE and folder != root and folder.parent != root
                    if removable and (folder in emptied or _older(folder, before)) and _remove_empty(folder):
                        emptied.add(folder.parent)
        return sorted(deleted)

    def _path(self, zone: Zone, key: str) -> Path:
        check_key(key)
        return self._home / zone.value / key

    def _ref(self, zone: Zone, key: str, stat: os.stat_result) -> FileRef:
        uri = f"{self._home}/{zone.value}/{key}"
        return FileRef(zone, key, uri, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def _walk(
        self, zone: Zone, folder: Path, base: str, prefix: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[FileRef]:
        try:
            with os.scandir(folder) as found:
                # A folder sorts as its name with a slash: that is where its keys stand among its siblings' keys.
                entries = sorted(
                    (entry.name + "/" if entry.is_dir() else entry.name, entry)
                    for entry in found
                    if not entry.name.startswith(".")
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in entries:
            key = base + name
            is_folder = name.endswith("/")
            if not (key.startswith(prefix) or (is_folder and prefix.startswith(key))):
                continue
            _check_readable_name(entry)
            try:
                stat = entry.stat()
            except FileNotFoundError as error:
                if entry.is_symlink():
                    raise InputError(f"the link {entry.path} points nowhere; remove it or mend it.") from error
                continue  # deleted while we looked
            if not is_folder:
                yield self._ref(zone, key, stat)
                continue
            here = (stat.st_dev, stat.st_ino)
            if here in above:
                raise InputError(f"the link {entry.path} leads back to a folder above it; remove it.")
            yield from self._walk(zone, Path(entry.path), key, prefix, (*above, here))


def _check_readable_name(entry: "os.DirEntry[str]") -> None:
    if not encodes(entry.name):
        raise InputError(f"the name of {os.fsencode(entry.path)!r} is not UTF-8; rename the file and try again.")
    if PATTERN.search(entry.name):
        raise InputError(
            f"the name of {entry.path} has one of the signs * ? [ ] {{ }}, which query engines take for a pattern; "
            "rename it and try again."
        )


def _sync_folder(folder: Path) -> None:
    # Without this a power cut after the rename may bring back the folder without the file.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _older(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except FileNotFoundError:
        return False  # another sweep was faster


def _delete_older(path: Path, before: float) -> bool:
    if not _older(path, before):
        return False
    path.unlink(missing_ok=True)
    return True


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            return False
        raise
    return True
