"""The ingest ledger: which file contents were loaded into which table, by which commit.

A load's commit carries its files in its snapshot summary under ``nextbasket.ingested``: a JSON list of
``{"sha256", "key", "accepted", "merged", "dropped": {reason: n}, "quarantined"}``. The commit is therefore the only
truth, and the rows here are an index of it: they can be written after the commit, or by whoever comes next when the
committer was killed in between. ``ledger_position`` says up to which metadata file a table is indexed.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from nextbasket.catalog.base import IngestedFile, Snapshot
from nextbasket.catalog.metadata import TableMetadata
from nextbasket.errors import InputError

INGESTED = "nextbasket.ingested"
"""The summary key that holds a load's files."""


def files_of(snapshot: Snapshot) -> list[IngestedFile]:
    """Return the files that a snapshot's summary says it loaded; raises InputError for a malformed summary."""
    text = snapshot.summary.get(INGESTED)
    if text is None:
        return []
    try:
        return [
            IngestedFile(
                sha256=str(entry["sha256"]),
                table=snapshot.table,
                key=str(entry["key"]),
                run_id=snapshot.run_id or "",
                snapshot_id=snapshot.id,
                at=snapshot.at,
                **_counts(entry),
            )
            for entry in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the summary of {snapshot.table}'s commit by run {snapshot.run_id} has a malformed {INGESTED}: {error!r}; "
            'it must be a JSON list of {"sha256", "key", "accepted", "merged", "dropped", "quarantined"}.'
        ) from error


def record(connection: sqlite3.Connection, metadata: TableMetadata) -> None:
    """Index every snapshot of the table that is not indexed yet, and note up to where."""
    known = {
        row[0] for row in connection.execute("SELECT snapshot_id FROM commits WHERE table_name = ?", (metadata.table,))
    }
    for stored in metadata.snapshots:
        snapshot = stored.snapshot
        if snapshot.id in known:
            continue
        connection.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                snapshot.table,
                snapshot.id,
                snapshot.run_id,
                snapshot.parent_id,
                round(snapshot.at.timestamp() * 1000),
                snapshot.operation,
                json.dumps(dict(snapshot.summary)),
            ),
        )
        connection.executemany(
            "INSERT OR REPLACE INTO ingest_ledger VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, files_of(snapshot))
        )
    connection.execute("INSERT OR REPLACE INTO ledger_position VALUES (?, ?)", (metadata.table, metadata.uri))


def forget(connection: sqlite3.Connection, table: str) -> None:
    """Remove everything indexed for a table: its rows are gone, so its files may be loaded again."""
    connection.execute("DELETE FROM ingest_ledger WHERE table_name = ?", (table,))
    connection.execute("DELETE FROM commits WHERE table_name = ?", (table,))
    connection.execute("DELETE FROM plans WHERE table_name = ?", (table,))
    connection.execute("DELETE FROM ledger_position WHERE table_name = ?", (table,))


def read(connection: sqlite3.Connection, *, sha256: str | None = None, table: str | None = None) -> list[IngestedFile]:
    """Return the indexed files, oldest first, of one content or one table if named."""
    where = ""
    values: tuple[str, ...] = ()
    if sha256 is not None and table is not None:
        where, values = "WHERE sha256 = ? AND table_name = ?", (sha256, table)
    elif sha256 is not None:
        where, values = "WHERE sha256 = ?", (sha256,)
    elif table is not None:
        where, values = "WHERE table_name = ?", (table,)
    rows = connection.execute(
        f"SELECT sha256, table_name, key, run_id, snapshot_id, at, counts FROM ingest_ledger {where} "  # noqa: S608 - where is one of the texts above
        "ORDER BY at, table_name, key",
        values,
    )
    return [
        IngestedFile(found, name, key, run_id, snapshot_id, datetime.fromisoformat(at), **_counts(json.loads(counts)))
        for found, name, key, run_id, snapshot_id, at, counts in rows
    ]


def commit_of(connection: sqlite3.Connection, table: str, run_id: str) -> Snapshot | None:
    """Return the first snapshot that a run committed to a table, also when it has expired since."""
    row = connection.execute(
        "SELECT snapshot_id, parent_id, at_ms, operation, summary FROM commits "
        "WHERE table_name = ? AND run_id = ? ORDER BY at_ms, rowid LIMIT 1",
        (table, run_id),
    ).fetchone()
    if row is None:
        return None
    snapshot_id, parent_id, at_ms, operation, summary = row
    return Snapshot(
        table, snapshot_id, parent_id, datetime.fromtimestamp(at_ms / 1000, UTC), operation, json.loads(summary)
    )


def merged_with(indexed: Iterable[IngestedFile], metadata: Iterable[TableMetadata]) -> list[IngestedFile]:
    """Return the indexed files together with those of snapshots that are not indexed yet, oldest first."""
    files = {(file.sha256, file.table, file.key, file.snapshot_id): file for file in indexed}
    for table in metadata:
        for stored in table.snapshots:
            for file in files_of(stored.snapshot):
                files[file.sha256, file.table, file.key, file.snapshot_id] = file
    return sorted(files.values(), key=lambda file: (file.at, file.table, file.key))


def settled(files: Sequence[IngestedFile]) -> Mapping[str, str] | None:
    """Return what became of a content's lines by now, as texts, from its entries, oldest first; None without any.

    The latest load counts. An entry with fewer than no quarantined lines is no load: it tells of lines that had waited
    in quarantine and were taken, and adds to the one before it.
    """
    found: IngestedFile | None = None
    for file in files:
        if found is None or file.quarantined >= 0:
            found = file
            continue
        counts = {name: getattr(found, name) + getattr(file, name) for name in ("accepted", "merged", "quarantined")}
        found = replace(file, dropped=found.dropped, **counts)
    return found.as_texts() if found is not None else None


def _row(file: IngestedFile) -> tuple[str, str, str, str, int, str, str]:
    counts = {
        "accepted": file.accepted,
        "merged": file.merged,
        "dropped": dict(file.dropped),
        "quarantined": file.quarantined,
    }
    return (
        file.sha256, file.table, file.key, file.run_id, file.snapshot_id, file.at.isoformat(), json.dumps(counts)
    )  # fmt: skip


def _counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "accepted": int(entry.get("accepted", 0)),
        "merged": int(entry.get("merged", 0)),
        "dropped": {str(reason): int(count) for reason, count in entry.get("dropped", {}).items()},
        "quarantined": int(entry.get("quarantined", 0)),
    }
