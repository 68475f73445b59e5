"""What expired snapshots recorded, kept beside the lake: run ids and loaded files outlive the versions they made."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nextbasket.catalog.base import Snapshot
from nextbasket.lake.s3_documents import S3Documents


class ExpiredCommits:
    """Snapshots without their files, by the table's own uuid: one made anew under a name starts with none."""

    def __init__(self, documents: S3Documents) -> None:
        self._documents = documents

    def of(self, table: str, uuid: str) -> list[Snapshot]:
        """Return the expired snapshots of a table, oldest first."""
        text = self._documents.get(_name(uuid))
        return [_snapshot(table, raw) for raw in json.loads(text)] if text is not None else []

    def keep(self, uuid: str, snapshots: Sequence[Snapshot]) -> None:
        """Add snapshots that are about to expire; adding one again changes nothing."""
        self._documents.change(_name(uuid), lambda text: _with(text, snapshots))

    def forget(self, uuid: str) -> None:
        """Remove everything kept for a table."""
        self._documents.delete(_name(uuid))


def _name(uuid: str) -> str:
    return f"commits/{uuid}.json"


def _with(text: str | None, snapshots: Sequence[Snapshot]) -> str:
    known = {raw["id"]: raw for raw in json.loads(text or "[]")}
    for snapshot in snapshots:
        known[snapshot.id] = {
            "id": snapshot.id,
            "parent_id": snapshot.parent_id,
            "at_ms": round(snapshot.at.timestamp() * 1000),
            "operation": snapshot.operation,
            "summary": dict(snapshot.summary),
        }
    return json.dumps(sorted(known.values(), key=lambda raw: raw["at_ms"]), ensure_ascii=False)


def _snapshot(table: str, raw: Mapping[str, Any]) -> Snapshot:
    at = datetime.fromtimestamp(raw["at_ms"] / 1000, UTC)
    return Snapshot(table, raw["id"], raw["parent_id"], at, raw["operation"], raw["summary"])
