"""Keep a home small: expire old versions of tables by policy, delete the files that nothing needs by age.

A file is deleted only when no snapshot of any table needs it and it is old: younger ones may belong to work that has
not committed yet. Scratch files, which no one needs after a command, go by the same age.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nextbasket.catalog.base import ICEBERG, Catalog, Snapshot, TableDefinition
from nextbasket.errors import InputError
from nextbasket.lake.base import Lake, Zone
from nextbasket.lake.faults import home_errors
from nextbasket.progress import Progress, silent

MAX_AGE = "vacuum_max_snapshot_age_seconds"
KEEP_LAST = "vacuum_min_snapshots_to_keep"
"""Athena's table properties for VACUUM; where a table has them they count instead of the policy."""

_UPKEPT = "upkeep.at"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long versions are kept.

    A snapshot expires when it is older than ``older_than`` and not among its table's last ``keep_last``. A file that
    no snapshot needs is deleted when it is older than ``orphans_older_than``. ``every`` is how often a run does this.
    """

    older_than: timedelta = timedelta(days=7)
    keep_last: int = 5
    orphans_older_than: timedelta = timedelta(days=1)
    every: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was done, or in a dry run would be: snapshots by table, files of the lake and of scratch, bytes freed."""

    dry_run: bool
    snapshots: dict[str, int] = field(default_factory=dict)
    files: int = 0
    scratch: int = 0
    bytes: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "dry_run": self.dry_run,
            "expired_snapshots": self.snapshots,
            "deleted_files": self.files,
            "deleted_scratch_files": self.scratch,
            "freed_bytes": self.bytes,
        }


class Upkeep:
    """Expires and sweeps in one home. ``clock`` returns an aware time; ``scratch`` need not exist.

    The caller makes sure that no load or run is at work: the age protects what other programs write meanwhile.
    """

    def __init__(
        self, catalog: Catalog, lake: Lake, scratch: Path, policy: Policy, clock: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._lake = lake
        self._scratch = scratch
        self._policy = policy
        self._clock = clock

    def vacuum(self, table: str | None = None, *, dry_run: bool = False, progress: Progress = silent) -> UpkeepReport:
        """Expire the snapshots of all tables, or of one, and delete old files that nothing needs.

        Raises NotFoundError for an unknown table, InputError for one that has no snapshots.
        """
        if table is None:
            tables = [one for one in self._catalog.tables() if one.format == ICEBERG]
        else:
            tables = [self._catalog.table(table)]
            if tables[0].format != ICEBERG:
                raise InputError(f"{table} is read in place: it has no versions to expire.")
        expired = {}
        unneeded: dict[str, int] = {}
        for position, definition in enumerate(tables):
            progress(f"expiring {definition.full_name}", position / len(tables))
            due = self._due(definition)
            if not due:
                continue
            if dry_run:
                expired[definition.full_name] = len(due)
                unneeded |= self._only_of(definition.full_name, due)
            else:
                age, keep_last = self._limits(definition)
                expired[definition.full_name] = self._catalog.expire(
                    definition.full_name, older_than=age, keep_last=keep_last
                )
        progress("looking for files that nothing needs", None)
        files, freed = self._sweep(unneeded, dry_run=dry_run)
        scratch, more = self._clear_scratch(dry_run=dry_run)
        return UpkeepReport(dry_run, expired, files, scratch, freed + more)

    def when_due(self, progress: Progress = silent) -> UpkeepReport | None:
        """Do it all when the last time is long enough ago, as a run does at its end; None when it is not."""
        last = self._catalog.state(_UPKEPT)
        now = self._clock()
        if last is not None and now - datetime.fromisoformat(last) < self._policy.every:
            return None
        # A new home has nothing old: its first day begins now.
        done = self.vacuum(progress=progress) if last is not None else None
        self._catalog.set_state(_UPKEPT, now.isoformat())
        return done

    def _limits(self, definition: TableDefinition) -> tuple[timedelta, int]:
        given = definition.parameters
        try:
            age = timedelta(seconds=float(given[MAX_AGE])) if MAX_AGE in given else self._policy.older_than
            keep_last = int(given[KEEP_LAST]) if KEEP_LAST in given else self._policy.keep_last
        except ValueError as error:
            raise InputError(
                f"the properties {MAX_AGE} and {KEEP_LAST} of {definition.full_name} must be whole numbers: {error}."
            ) from error
        return age, max(keep_last, 1)

    def _due(self, definition: TableDefinition) -> Sequence[Snapshot]:
        """Return the snapshots that the policy lets go; the current one never."""
        age, keep_last = self._limits(definition)
        snapshots = self._catalog.snapshots(definition.full_name)
        before = self._clock() - age
        candidates = [snapshot for snapshot in snapshots[:-keep_last] if snapshot.at < before]
        if not candidates:
            return ()
        current = self._catalog.scan(definition.full_name).snapshot_id
        return [snapshot for snapshot in candidates if snapshot.id != current]

    def _only_of(self, table: str, due: Sequence[Snapshot]) -> dict[str, int]:
        """Return the data files, with their bytes, that only these snapshots of a table need."""
        going = {snapshot.id for snapshot in due}
        files: dict[str, int] = {}
        for snapshot in due:
            files |= {file.uri: file.bytes for file in self._catalog.scan(table, snapshot_id=snapshot.id).files}
        for snapshot in self._catalog.snapshots(table):
            if snapshot.id not in going and files:
                for file in self._catalog.scan(table, snapshot_id=snapshot.id).files:
                    files.pop(file.uri, None)
        return files

    def _sweep(self, unneeded: dict[str, int], *, dry_run: bool) -> tuple[int, int]:
        keep = self._catalog.referenced_files()
        before = self._clock() - self._policy.orphans_older_than
        orphans = {
            ref.uri: ref.size
            for ref in self._lake.list(Zone.WAREHOUSE)
            if ref.modified < before and (ref.uri not in keep or ref.uri in unneeded)
        }
        if dry_run:
            return len(orphans), sum(orphans.values())
        deleted = self._lake.sweep(self._policy.orphans_older_than, keep)
        return len(deleted), sum(orphans.get(uri, 0) for uri in deleted)

    def _clear_scratch(self, *, dry_run: bool) -> tuple[int, int]:
        before = (self._clock() - self._policy.orphans_older_than).timestamp()
        count = freed = 0
        if not self._scratch.is_dir():
            return count, freed
        with home_errors("clear", self._scratch):
            for entry in self._scratch.iterdir():
                files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
                newest = max([path.lstat().st_mtime for path in (entry, *files)])
                if newest >= before:
                    continue
                count += len(files)
                freed += sum(path.lstat().st_size for path in files)
                if dry_run:
                    continue
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        return count, freed
