"""Forget a shopper: take every line of theirs out of a home, see to it that none comes back, and prove it.

The order of the work makes it safe to kill at any point and run again: first a keyed hash of the id is kept, so that
no load brings lines back; a file ``forgetting/<name>.json`` holds the ids of their orders while the work lasts; then
landing, quarantine, exports, tables, old versions and leftovers are cleaned; then everything that is left is searched.
"""

import json
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256 as new_hash
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from nextbasket.catalog.base import Catalog
from nextbasket.definitions.store import Definitions
from nextbasket.errors import InputError, NotFoundError
from nextbasket.grocery.tables import LAYOUT, LayoutTable
from nextbasket.ingest.content import LandedContent
from nextbasket.ingest.deliveries import landing_tables
from nextbasket.ingest.forget_files import Found, find, is_all, without
from nextbasket.ingest.forget_leftovers import delete_leftovers, delete_statements
from nextbasket.ingest.forget_person import Finder, LandingMarks, Person
from nextbasket.ingest.forget_proof import Proof, Prover
from nextbasket.ingest.forget_quarantine import QuarantinedLines
from nextbasket.ingest.forget_tables import Tables
from nextbasket.ingest.forgotten import Forgotten
from nextbasket.ingest.mapping import mapping_texts
from nextbasket.ingest.naming import table_name, with_hash, without_hash
from nextbasket.ingest.shop import DATABASE
from nextbasket.ingest.sources import is_data
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.lake.faults import home_errors
from nextbasket.progress import Progress, silent
from nextbasket.query.workgroup import Workgroup

LOG = "logs/forgotten.jsonl"
"""Where each forgetting is noted: when and how much, and nothing about whom."""

_PENDING = "forgetting"
_IN_USE = timedelta(minutes=10)


@runtime_checkable
class KeepsTimes(Protocol):
    """A lake whose files' times can be set: the order of deliveries is that of their times."""

    def set_modified(self, ref: FileRef, modified: datetime) -> FileRef:
        """Give a stored file this time."""
        ...


@dataclass
class Pending:
    """A forgetting that is not finished: what it needs to go on after a kill, and what it has done so far."""

    id: str
    began: str
    attempts: int = 0
    orders: list[str] = field(default_factory=list)
    rewritten: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    snapshots: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What was removed, by table (rows) and by file (lines), and what is proven.

    ``files`` data files were deleted with ``snapshots`` old versions. ``again``: the shopper had been forgotten before.
    """

    began: str
    again: bool
    orders: int
    tables: Mapping[str, int]
    lines: Mapping[str, int]
    snapshots: int
    files: int
    bytes: int
    proof: Proof

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; it names no person."""
        found = asdict(self)
        return found | {"complete": self.proof.complete}


class Forgetter:
    """Forgets shoppers in one home; the caller makes sure that no load or run is at work in it."""

    def __init__(
        self,
        home: Path,
        lake: Lake,
        catalog: Catalog,
        workgroup: Workgroup,
        definitions: Definitions,
        clock: Callable[[], datetime],
    ) -> None:
        self._home = home
        self._lake = lake
        self._catalog = catalog
        self._definitions = definitions
        self._clock = clock
        self._finder = Finder(lake, catalog, workgroup, definitions)
        self._tables = Tables(lake, catalog, workgroup.engine)
        self._prover = Prover(home, lake, self._finder, self._tables)

    def forget(self, shopper: str, progress: Progress = silent) -> ForgetReport:
        """Remove every line of a shopper and prove it; running it again goes on where it was killed.

        Raises NotFoundError for a shopper of whom nothing is there and nothing was.
        """
        shopper = shopper.strip()
        forgotten = Forgotten(self._catalog)
        known = bool(forgotten.shoppers([shopper]))
        path = self._home / _PENDING / f"{forgotten.name(shopper)}.json"
        pending = self._read(path) if known else None
        progress("looking for the shopper", 0.0)
        search = self._finder.search(shopper, pending.orders if pending is not None else ())
        marks = self._finder.landing_marks(search.person)
        if not (search.seen or known or marks.seen):
            raise NotFoundError(
                f"there is no shopper '{shopper}' in {self._home}: no table and no landed file has a line of theirs."
            )
        person = search.person
        forgotten.add(shopper, person.orders)
        path = self._home / _PENDING / f"{forgotten.name(shopper)}.json"
        if pending is None:
            pending = Pending(secrets.token_hex(6), self._clock().isoformat(timespec="seconds"))
        pending.orders = sorted(person.orders)
        pending.attempts += 1
        self._write(path, pending)

        self._clean_landing(marks, pending, path, progress)
        self._clean_quarantine(marks, pending)
        self._clean_exports(person, pending, progress)
        for ref in list(self._lake.list(Zone.CACHE)):  # copies of landed files, made again when they are asked for
            self._lake.delete(ref)
        run_id = f"forget-{pending.id}-{pending.attempts}"
        for name, rows in self._tables.remove(person, pending.rewritten, run_id, progress).items():
            pending.tables[name] = pending.tables.get(name, 0) + rows
        self._write(path, pending)
        expired = self._tables.expire(person, progress)
        pending.snapshots += expired.snapshots
        pending.files += expired.files
        pending.bytes += expired.bytes
        self._write(path, pending)
        delete_leftovers(self._home, self._clock() - _IN_USE)
        delete_statements(self._home, person)
        progress("searching everything that is left", 0.9)
        proof = self._prover.prove(person, self._finder.landing_marks(person))
        report = ForgetReport(
            pending.began,
            known and not pending.lines and not pending.tables,
            len(person.orders),
            pending.tables,
            pending.lines,
            pending.snapshots,
            pending.files,
            pending.bytes,
            proof,
        )
        self._log(pending, report)
        with home_errors("delete", path):
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        return report

    # --- landing, quarantine, exports ----------------------------------------------------------------------------

    def _clean_landing(self, marks: LandingMarks, pending: Pending, path: Path, progress: Progress) -> None:
        lines = QuarantinedLines(self._lake, marks)
        content = LandedContent(self._lake, self._catalog)
        mapped = mapping_texts(self._definitions)
        layouts = {
            source: table for table in LAYOUT.values() if table.name not in mapped for source in landing_tables(table)
        }
        seen: set[tuple[str | None, ...]] = set()
        self._mend_times(content, pending)
        refs = [ref for ref in self._lake.list(Zone.LANDING) if is_data(ref.key)]
        for ref in sorted(refs, key=lambda ref: (ref.modified, ref.key)):
            progress(f"reading landing/{ref.key}", None)
            theirs = marks.of(ref)
            layout = layouts.get(table_name(ref.key.partition("/")[0]))
            try:
                found = find(self._lake, ref, theirs, layout.key if layout is not None else (), marks.written(ref))
                if is_all(ref, theirs):
                    pending.rewritten[content.sha256(ref)] = {
                        "key": ref.key,
                        "lines": [],
                        "removed": found.searched if found is not None else 0,
                    }
                    self._write(path, pending)
                    self._lake.delete(ref)
                elif found is not None and found.count:
                    self._rewrite(lines, ref, marks, found, layout, seen, content, pending, path)
            except InputError:
                continue  # the proof names the file and says why
        content.save()
        for one in pending.rewritten.values():
            pending.lines[f"landing/{one['key']}"] = one["removed"]

    def _mend_times(self, content: LandedContent, pending: Pending) -> None:
        """Give the files that a killed attempt wrote the times they had: the order of deliveries is that of times."""
        landed = {ref.key: ref for ref in self._lake.list(Zone.LANDING)}
        for new, one in pending.rewritten.items():
            ref = landed.get(one["key"])
            if ref is None or "modified" not in one or not isinstance(self._lake, KeepsTimes):
                continue
            modified = datetime.fromisoformat(one["modified"])
            if ref.modified != modified and content.sha256(ref) == new:
                content.remember(self._lake.set_modified(ref, modified), new)

    def _rewrite(
        self,
        lines: QuarantinedLines,
        ref: FileRef,
        marks: LandingMarks,
        found: Found,
        layout: LayoutTable | None,
        seen: set[tuple[str | None, ...]],
        content: LandedContent,
        pending: Pending,
        path: Path,
    ) -> None:
        old = content.sha256(ref)
        with self._temporary() as kept:
            without(self._lake, ref, marks.of(ref), found, kept, marks.written(ref))
            new = _hashed(kept)
            plain = without_hash(ref.key, old)
            key = ref.key if plain == ref.key else with_hash(plain, new)
            pending.rewritten[new] = {
                "key": key,
                "former_key": ref.key,
                "former": old,
                "lines": list(found.lines),
                "removed": found.count,
                "modified": ref.modified.isoformat(),
                "table": None if layout is None else f"{DATABASE}.{layout.name}",
                "entry": None if layout is None else self._entry(lines, layout, found, seen, old, new, key),
            }
            # Before the file changes: after a kill nothing else would say which content the new one stands for.
            self._write(path, pending)
            Forgotten(self._catalog).add_content(old, new)
            written = self._lake.put(ref.zone, key, kept)
        if isinstance(self._lake, KeepsTimes):
            written = self._lake.set_modified(written, ref.modified)
        content.remember(written, new)
        if key != ref.key:
            self._lake.delete(ref)

    def _entry(
        self,
        lines: QuarantinedLines,
        layout: LayoutTable,
        found: Found,
        seen: set[tuple[str | None, ...]],
        old: str,
        new: str,
        key: str,
    ) -> dict[str, Any] | None:
        """Return what the ledger is to hold for a file's new content; None where the old one was not loaded."""
        known = self._catalog.ingested(old, f"{DATABASE}.{layout.name}")
        if known is None:
            return None
        dropped = {str(reason): int(count) for reason, count in json.loads(known["dropped"]).items()}
        accepted, merged, quarantined = (int(known[name]) for name in ("accepted", "merged", "quarantined"))
        bad = min(lines.of_content(old), quarantined, found.count)
        good = found.count - bad
        keys = {tuple(row[name] for name in layout.key) for row in found.records.to_pylist()}
        first = min(len(keys - seen), good, accepted)
        seen |= keys
        again = min(good - first, merged)
        rest = good - first - again
        for reason in sorted(dropped, key=lambda reason: -dropped[reason]):
            taken = min(rest, dropped[reason])
            dropped[reason] -= taken
            rest -= taken
        return {
            "sha256": new,
            "key": key,
            "accepted": max(accepted - first - rest, 0),
            "merged": merged - again,
            "dropped": {reason: count for reason, count in dropped.items() if count},
            "quarantined": quarantined - bad,
        }

    def _clean_quarantine(self, marks: LandingMarks, pending: Pending) -> None:
        lines = QuarantinedLines(self._lake, marks, pending.rewritten)
        for ref in lines.files():
            removed = lines.clean(ref)
            if removed:
                name = f"quarantine/{ref.key}"
                pending.lines[name] = pending.lines.get(name, 0) + removed

    def _clean_exports(self, person: Person, pending: Pending, progress: Progress) -> None:
        for zone in (Zone.EXCHANGE, Zone.RESULTS):
            for ref in list(self._lake.list(zone)):
                progress(f"reading {zone}/{ref.key}", None)
                if not is_data(ref.key):
                    continue
                try:
                    found = find(self._lake, ref, person.marks)
                    if found is None or not found.count:
                        continue
                    with self._temporary() as kept:
                        without(self._lake, ref, person.marks, found, kept)
                        kept.seek(0)
                        self._lake.put(zone, ref.key, kept)
                except InputError:
                    continue  # the proof names the file and says why
                pending.lines[f"{zone}/{ref.key}"] = pending.lines.get(f"{zone}/{ref.key}", 0) + found.count

    # --- leftovers -----------------------------------------------------------------------------------------------

    def _temporary(self) -> Any:
        scratch = self._home / "scratch"
        with home_errors("write", scratch):
            scratch.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=scratch)

    def _read(self, path: Path) -> Pending | None:
        if not path.exists():
            return None
        return Pending(**json.loads(path.read_text(encoding="utf-8")))

    def _write(self, path: Path, pending: Pending) -> None:
        with home_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting = path.with_name(f".{path.name}.part")
            waiting.write_text(json.dumps(asdict(pending)), encoding="utf-8")
            waiting.replace(path)

    def _log(self, pending: Pending, report: ForgetReport) -> None:
        """Note when it was done and how much, once; nothing in it is about a person."""
        path = self._home / LOG
        line = {
            "id": pending.id,
            "began": pending.began,
            "ended": self._clock().isoformat(timespec="seconds"),
            "rows": sum(report.tables.values()),
            "lines": sum(report.lines.values()),
            "snapshots": report.snapshots,
            "files": report.files,
            "searched_files": report.proof.files,
            "left": len(report.proof.left),
            "not_proven": len(report.proof.unproven),
        }
        with home_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def _hashed(stream: BinaryIO) -> str:
    stream.seek(0)
    digest = new_hash()
    while block := stream.read(1 << 20):
        digest.update(block)
    stream.seek(0)
    return digest.hexdigest()
