"""How a table changed at a crawl, in lines that a person can read, and the history of such changes.

The history is the small state ``crawl.history.<table>``, oldest change first. An entry is written before the catalog
changes, under a mark made of it and the old definition: a crawl that is killed in between and runs again writes
the same entry, not a second one. A difference that the policy LOG only notes has one entry, with the time it was first
seen.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nextbasket.catalog.base import Drift, TableDefinition
from nextbasket.ingest.content import State

DEPRECATED = "DEPRECATED_BY_CRAWLER"
"""The parameter that marks a table whose files are gone, with the time; Glue's own name."""

_STATE = "crawl.history."
_KEPT = 100
_SHOWN = {
    "delimiter": "delimiter",
    "quote": "quote",
    "encoding": "encoding",
    "compression": "compression",
    "skip.header.line.count": "header lines",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a table: when, in which lines, and whether it was made or (policy LOG) only noted."""

    at: datetime
    lines: tuple[str, ...]
    applied: bool

    def as_json(self) -> dict[str, object]:
        """Return the change as JSON values."""
        return {"at": self.at.isoformat(timespec="seconds"), "applied": self.applied, "differences": list(self.lines)}


def lines_of(drift: Drift, stored: TableDefinition | None, new: TableDefinition) -> tuple[str, ...]:
    """Return what differs, a line for each difference: ``+`` came, ``-`` went, ``~`` is another one now."""
    keys = {column.name for column in new.partition_keys}
    if stored is None:
        lines = [f"+ column {column.name} {column.type}" for column in new.columns]
        return (*lines, *(f"+ partition key {key.name} {key.type}" for key in new.partition_keys))
    lines = [f"+ column {column.name} {column.type}" for column in drift.added]
    lines += [f"- column {column.name} {column.type}" for column in drift.removed if column.name not in keys]
    lines += [f"~ column {name}: {old} -> {kind}" for name, old, kind in drift.changed]
    if "partition_keys" in drift.altered:
        lines += _keys(stored, new)
    for part in ("location", "format"):
        if part in drift.altered:
            lines.append(f"~ {part}: {getattr(stored, part)} -> {getattr(new, part)}")
    if "order" in drift.altered:
        lines.append("~ order of columns: " + ", ".join(column.name for column in new.columns))
    if "parameters" in drift.altered:
        lines += _parameters(stored, new)
    return tuple(lines)


def _keys(stored: TableDefinition, new: TableDefinition) -> list[str]:
    before = {key.name: key.type for key in stored.partition_keys}
    after = {key.name: key.type for key in new.partition_keys}
    lines = [f"+ partition key {name} {kind}" for name, kind in after.items() if name not in before]
    lines += [f"- partition key {name} {kind}" for name, kind in before.items() if name not in after]
    lines += [
        f"~ partition key {name}: {before[name]} -> {kind}"
        for name, kind in after.items()
        if name in before and before[name] != kind
    ]
    return lines or ["~ order of partition keys: " + ", ".join(after)]


def _parameters(stored: TableDefinition, new: TableDefinition) -> list[str]:
    lines = []
    for key, name in _SHOWN.items():
        old, now = stored.parameters.get(key), new.parameters.get(key)
        if old != now and old is not None and now is not None:
            lines.append(f"~ {name}: {old!r} -> {now!r}")
    if DEPRECATED in stored.parameters and DEPRECATED not in new.parameters:
        lines.append("~ its files are back: no longer deprecated")
    if DEPRECATED in new.parameters and DEPRECATED not in stored.parameters:
        lines.append("~ its files are gone: deprecated")
    return lines or ["~ how its files are read"]


class History:
    """The changes of tables."""

    def __init__(self, state: State) -> None:
        self._state = state

    def of(self, table: str) -> list[Change]:
        """Return a table's changes, oldest first."""
        return [
            Change(datetime.fromisoformat(entry["at"]), tuple(entry["lines"]), entry["applied"])
            for entry in self._entries(table)
        ]

    def note(self, table: str, change: Change, stored: TableDefinition | None) -> None:
        """Add a change of a definition, unless it is the last one noted already."""
        before = None if stored is None else (stored.columns, stored.partition_keys, stored.location, stored.format)
        mark = hashlib.sha256(f"{change.applied} {change.lines} {before}".encode()).hexdigest()[:16]
        entries = self._entries(table)
        if entries and entries[-1]["mark"] == mark:
            return
        entry = {"at": change.at.isoformat(), "lines": list(change.lines), "applied": change.applied, "mark": mark}
        self._state.set_state(_STATE + table, json.dumps([*entries, entry][-_KEPT:], ensure_ascii=False))

    def _entries(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._state.state(_STATE + table) or "[]")
        return found
