"""Take a person's rows out of all Iceberg tables, of every version: commit, expire, delete what only those needed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from typing import Any

import ibis.expr.types as ir

from nextbasket.catalog.base import ICEBERG, Catalog, CommitMode, DataFile, Scan, TableDefinition
from nextbasket.catalog.ledger import INGESTED
from nextbasket.errors import HomeError, InputError
from nextbasket.grocery.tables import ORDER_PRODUCTS
from nextbasket.ingest.forget_files import find
from nextbasket.ingest.forget_person import ORDER, SHOPPER, Person, ref_of
from nextbasket.ingest.forget_waiting import still_waiting
from nextbasket.ingest.shop import DATABASE, unbound
from nextbasket.ingest.waiting_lines import WAITING, WaitingLines
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.progress import Progress
from nextbasket.query.base import QueryEngine

_LINES = f"{DATABASE}.{ORDER_PRODUCTS.name}"
_PRIOR = f"{ORDER_PRODUCTS.name}_prior"
_INPUTS = "nextbasket.inputs"
_ICEBERG_S_OWN = ("added-", "deleted-", "removed-", "total-", "changed-", "partition", "operation", "run_id", "spark.")
_EVERYTHING = timedelta(days=-36_500)
"""Older than a far future: the clock that made a snapshot may run ahead of this one."""


@dataclass(frozen=True, slots=True)
class Expired:
    """How many snapshots expired and how many files were deleted, with their bytes."""

    snapshots: int = 0
    files: int = 0
    bytes: int = 0


class Tables:
    """The Iceberg tables of a home, as a person's rows leave them."""

    def __init__(self, lake: Lake, catalog: Catalog, engine: QueryEngine) -> None:
        self._lake = lake
        self._catalog = catalog
        self._engine = engine

    def holding_people(self) -> list[TableDefinition]:
        """Return the tables with a column of shoppers or orders; the prior lines, made from others, come last."""
        found = [
            one
            for one in self._catalog.tables()
            if one.format == ICEBERG
            and {SHOPPER, ORDER} & {column.name for column in (*one.columns, *one.partition_keys)}
        ]
        return sorted(found, key=lambda one: one.name == _PRIOR)

    def without_people(self) -> list[str]:
        """Return the names of the other Iceberg tables."""
        holding = {one.full_name for one in self.holding_people()}
        return [
            one.full_name for one in self._catalog.tables() if one.format == ICEBERG and one.full_name not in holding
        ]

    def remove(
        self, person: Person, rewritten: Mapping[str, Mapping[str, Any]], run_id: str, progress: Progress
    ) -> dict[str, int]:
        """Commit every table without the person's rows; returns the rows removed by table.

        ``rewritten`` tells, by its new hash, of each landed file that was written again: its ``table``, and the
        ``entry`` that the table's ledger is to have.
        """
        removed: dict[str, int] = {}
        versions: dict[int, int] = {}
        for definition in self.holding_people():
            name = definition.full_name
            progress(f"removing rows of {name}", None)
            entries = [
                one["entry"]
                for new, one in rewritten.items()
                if one.get("entry") and one["table"] == name and self._catalog.ingested(new, name) is None
            ]
            waiting = still_waiting(self._lake, self._catalog, person, rewritten) if name == _LINES else None
            scan = self._catalog.scan(name)
            counts = {file.uri: self._count(file, person) for file in scan.files}
            touched = [file for file in scan.files if counts[file.uri]]
            version = scan.snapshot_id
            if touched or entries or waiting is not None:
                files = self._kept(definition, scan, touched, counts, person, run_id) if touched else []
                summary = self._summary(name, entries, versions)
                if waiting is not None:
                    summary[WAITING] = waiting
                version = self._catalog.commit(
                    name,
                    CommitMode.MERGE_BY_KEY if touched else CommitMode.APPEND,
                    files,
                    run_id=run_id,
                    expected_snapshot=scan.snapshot_id,
                    check_expected=True,
                    replaces=[file.uri for file in touched],
                    summary=summary,
                ).id
            if self._remembers_files(name):
                # A version lists the files that it removed, each with its least and greatest values, ids among them.
                # The version after it does not.
                version = self._catalog.commit(
                    name, CommitMode.APPEND, [], run_id=f"{run_id}-after", summary=self._summary(name, (), versions)
                ).id
            if scan.snapshot_id is not None and version is not None:
                versions[scan.snapshot_id] = version
            if touched:
                removed[name] = sum(counts.values())
        return removed

    def _remembers_files(self, name: str) -> bool:
        snapshots = self._catalog.snapshots(name)
        return bool(snapshots) and "deleted-data-files" in snapshots[-1].summary

    def _count(self, file: DataFile, person: Person) -> int:
        found = find(self._lake, ref_of(self._lake, file.uri), person.marks)
        return found.count if found is not None else 0

    def _kept(
        self,
        definition: TableDefinition,
        scan: Scan,
        touched: Sequence[DataFile],
        counts: Mapping[str, int],
        person: Person,
        run_id: str,
    ) -> list[DataFile]:
        read = replace(scan, files=tuple(touched))
        rows = unbound(read)
        theirs: list[ir.BooleanValue] = [
            rows[column].cast("string").isin(sorted(values)).fill_null(False)
            for column, values in person.marks.items()
            if column in rows.columns and values
        ]
        kept = rows.filter(~reduce(lambda one, other: one | other, theirs))
        files = self._engine.write(
            kept,
            {read.table: read},
            self._lake.staging(run_id),
            scan.schema,
            partition_by=tuple(column.name for column in definition.partition_keys),
        )
        left = sum(file.rows for file in files)
        expected = sum(file.rows - counts[file.uri] for file in touched)
        if left != expected:
            raise InputError(
                f"{scan.table}: {expected:,} rows were to stay and {left:,} were written; this is a fault of "
                "nextbasket: the table was not changed, please report it."
            )
        return files

    def _summary(self, name: str, entries: Sequence[Mapping[str, Any]], versions: Mapping[int, int]) -> dict[str, str]:
        """Return what the versions before said of the table, which expire, and the new contents of its files."""
        carried: dict[str, str] = {}
        for snapshot in self._catalog.snapshots(name):
            carried |= {key: text for key, text in snapshot.summary.items() if not key.startswith(_ICEBERG_S_OWN)}
        carried.pop(INGESTED, None)
        if name.endswith(f".{_PRIOR}") and _INPUTS in carried:
            # Made from the same rows as the new versions of what it is made from: load need not make it again.
            made_from = json.loads(carried[_INPUTS])
            carried[_INPUTS] = json.dumps({key: versions.get(one, one) for key, one in made_from.items()})
        if entries:
            carried[INGESTED] = json.dumps(list(entries), sort_keys=True)
        return carried

    def expire(self, person: Person, progress: Progress) -> Expired:
        """Let only the current versions stay, and delete the files that the others, or nobody, needed.

        Data files of no version go whatever their age when they hold the person's rows or cannot be read: they are
        of killed runs, or of a run that read the person before and must not commit now.
        """
        before = self._catalog.referenced_files()
        snapshots = 0
        for definition in self.holding_people():
            progress(f"expiring {definition.full_name}", None)
            if len(self._catalog.snapshots(definition.full_name)) > 1:
                snapshots += self._catalog.expire(definition.full_name, older_than=_EVERYTHING, keep_last=1)
        needed = self._catalog.referenced_files()
        files = freed = 0
        current = WaitingLines(self._lake, self._catalog)
        for ref in list(self._lake.list(Zone.QUARANTINE, "waiting/")):
            if ref.key != current.key:
                self._lake.delete(ref)
                files += 1
                freed += ref.size
        current.show()
        for ref in list(self._lake.list(Zone.WAREHOUSE)):
            if ref.uri in needed or not (ref.uri in before or self._holds(ref, person)):
                continue
            self._lake.delete(ref)
            files += 1
            freed += ref.size
        return Expired(snapshots, files, freed)

    def _holds(self, ref: FileRef, person: Person) -> bool:
        if not ref.key.startswith("data/"):
            return False
        try:
            found = find(self._lake, ref, person.marks)
        except (InputError, HomeError):
            return True
        return found is not None and found.count > 0
