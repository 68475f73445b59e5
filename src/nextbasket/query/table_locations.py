"""Where CREATE TABLE AS puts its files, how they appear there at once, and what a killed one leaves behind.

Files are written into a fresh folder of the warehouse, which is then renamed to its place: nobody sees half of them.
The folder carries the mark ``_unfinished`` until the catalog knows its table. So files with the mark that belong to
no table are what a killed statement left, and the next statement for that place, or the sweep, removes them; a killed
write before the rename leaves files in the warehouse that no snapshot needs, which the sweep removes too.
"""

import errno
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from nextbasket.catalog.base import Catalog
from nextbasket.errors import HomeError, InputError, NotFoundError, QueryError
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.lake.faults import home_errors
from nextbasket.query.inputs import is_s3, local_path

UNFINISHED = "_unfinished"
OWN_PREFIX = "tables/"
"""Tables of files without a location of their own lie here, in the exchange zone."""
LOCK_SECONDS = 60.0
_MARK = b"the statement that wrote this has not ended\n"


class Places:
    """The exchange zone as the statements' S3.

    ``buckets`` maps a bucket's name to a prefix of the zone; a bucket not in it is a folder of its own name. ``locks``
    is the folder of the lock that one statement at a time holds while its files and its table appear.
    """

    def __init__(self, catalog: Catalog, lake: Lake, locks: Path | None, buckets: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._lake = lake
        self._locks = locks
        self._buckets = buckets

    @contextmanager
    def appearing(self) -> Iterator[None]:
        """Hold the lock under which files and tables appear together; whoever held it before has ended or died."""
        if self._locks is None:
            yield
            return
        with home_errors("write", self._locks):
            self._locks.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._locks / "statements.lock", timeout=LOCK_SECONDS, poll_interval=0.01)
            try:
                lock.acquire()
            except Timeout as error:
                raise HomeError(
                    f"another statement has held {lock.lock_file} for {LOCK_SECONDS:.0f} s; end it, then try again."
                ) from error
        try:
            yield
        finally:
            lock.release()

    def prefix(self, location: str | None, query_id: str) -> str:
        """Return the zone's prefix that an S3 location stands for; without one, a place of the table's own."""
        if location is None:
            return f"{OWN_PREFIX}{query_id}"
        parts = urlsplit(location)
        if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc:
            raise QueryError(f"external_location {location!r} must be like 's3://bucket/folder/'.")
        inside = [part for part in parts.path.split("/") if part]
        bucket = self._buckets.get(parts.netloc, parts.netloc).strip("/")
        below = [*bucket.split("/"), *inside]
        if not inside or parts.query or parts.fragment or any(part.startswith(("_", ".")) for part in below):
            raise QueryError(
                f"external_location {location!r} must name a folder in the bucket, such as 's3://bucket/a/'."
            )
        prefix = "/".join(below)
        if f"{prefix}/".startswith(OWN_PREFIX):
            raise QueryError(
                f"external_location {location!r}: the bucket 'tables' holds the tables without a location."
            )
        try:
            self._lake.uri(Zone.EXCHANGE, prefix)
        except InputError as error:
            raise QueryError(f"external_location {location!r} cannot be a place in the home: {error}") from error
        return prefix

    def uri(self, prefix: str) -> str:
        """Return the URI of a place."""
        return self._lake.uri(Zone.EXCHANGE, prefix)

    def prefix_of(self, location: str) -> str:
        """Return the prefix of a table's location; raises QueryError when it lies outside the exchange zone."""
        zone, prefix = self._lake.locate(location)
        if zone is not Zone.EXCHANGE:
            raise QueryError(f"{location} is not a place that statements write to: only exchange/ is.")
        return prefix

    def check_free(self, prefix: str, shown: str) -> None:
        """Raise QueryError when the place holds files of anybody but a killed statement, whose files are removed.

        Call it under ``appearing``, or before writing only to refuse early.
        """
        refs = list(self._lake.list(Zone.EXCHANGE, f"{prefix}/"))
        if not refs:
            return
        marked = any(ref.key == f"{prefix}/{UNFINISHED}" for ref in refs)
        if not marked or self.uri(prefix) in self._known():
            raise QueryError(f"{shown} already holds files: empty it or choose another external_location.")
        self._delete(refs)

    def staging(self, query_id: str) -> str:
        """Return a fresh folder to write a statement's files into, with the mark to come."""
        return self._lake.staging(f"query-{query_id}")

    def discard(self, folder: str) -> None:
        """Remove what a failed statement wrote into its staging folder."""
        zone, key = self._lake.locate(folder)
        self._delete(list(self._lake.list(zone, f"{key}/")))

    def appear(self, folder: str, prefix: str, *, marked: bool) -> None:
        """Rename a staging folder to its place, where everything in it appears at once.

        On S3, which renames nothing, the files are copied there one after the other, the mark first.
        """
        zone, key = self._lake.locate(folder)
        if marked:
            self._lake.put(zone, f"{key}/{UNFINISHED}", io.BytesIO(_MARK))
        if is_s3(folder):
            refs = sorted(self._lake.list(zone, f"{key}/"), key=lambda ref: not ref.key.endswith(f"/{UNFINISHED}"))
            for ref in refs:
                with self._lake.open(ref) as stream:
                    self._lake.put(Zone.EXCHANGE, prefix + ref.key.removeprefix(key), stream)
            self._delete(refs)
            return
        source, target = local_path(folder), local_path(self.uri(prefix))
        with home_errors("write", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(source, target)  # noqa: PTH104 (one call, atomic on one disk)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                raise QueryError(f"{target} is not empty: empty it or choose another external_location.") from error

    def finish(self, prefix: str) -> None:
        """Remove the mark of a place whose table the catalog knows."""
        for ref in list(self._lake.list(Zone.EXCHANGE, f"{prefix}/{UNFINISHED}")):
            if ref.key == f"{prefix}/{UNFINISHED}":
                self._lake.delete(ref)

    def forget(self, location: str) -> None:
        """Do for a dropped table's place what is due: own places are emptied, others keep their files, unmarked."""
        try:
            zone, prefix = self._lake.locate(location)
        except NotFoundError:
            return
        if zone is not Zone.EXCHANGE:
            return
        if prefix.startswith(OWN_PREFIX):
            self._delete(list(self._lake.list(zone, f"{prefix}/")))
        else:
            self.finish(prefix)

    def sweep(self, before: datetime) -> list[str]:
        """Delete what killed statements left before a time; returns the URIs deleted."""
        known = self._known()
        places: dict[str, list[FileRef]] = {}
        for ref in self._lake.list(Zone.EXCHANGE):
            if ref.key.endswith(f"/{UNFINISHED}"):
                places.setdefault(ref.key.removesuffix(f"/{UNFINISHED}"), [])
            elif ref.key.startswith(OWN_PREFIX):
                places.setdefault("/".join(ref.key.split("/")[:2]), [])
        deleted: list[str] = []
        for prefix in places:
            refs = list(self._lake.list(Zone.EXCHANGE, f"{prefix}/"))
            if self.uri(prefix) in known:
                refs = [ref for ref in refs if ref.key == f"{prefix}/{UNFINISHED}"]
            if refs and max(ref.modified for ref in refs) < before:
                deleted += self._delete(refs)
        return deleted

    def _known(self) -> set[str]:
        return {definition.location for definition in self._catalog.tables()}

    def _delete(self, refs: list[FileRef]) -> list[str]:
        # The mark goes last: a delete that is killed goes on next time.
        ordered = sorted(refs, key=lambda ref: (ref.key.endswith(f"/{UNFINISHED}"), ref.key))
        for ref in ordered:
            self._lake.delete(ref)
        self._remove_empty_folders(ordered)
        return [ref.uri for ref in ordered]

    def _remove_empty_folders(self, refs: list[FileRef]) -> None:
        """Remove the folders that this emptied, so that another folder may be renamed to their place."""
        for ref in refs:
            if "://" in ref.uri:
                continue
            folder = Path(ref.uri).parent
            for _ in range(ref.key.count("/")):
                try:
                    folder.rmdir()
                except OSError:
                    break  # it holds something, or is gone
                folder = folder.parent
