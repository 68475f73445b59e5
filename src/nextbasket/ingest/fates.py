"""What became of every line: the counts for each file, and the report of a load."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

INGESTED = "nextbasket.ingested"
"""The key of a snapshot's summary that holds the fates of the files it loaded."""


@dataclass(frozen=True, slots=True)
class FileFates:
    """One landed file's lines by fate; ``accepted + merged + dropped + quarantined`` is ``records``.

    ``accepted`` lines brought a new key, ``merged`` ones a key that was there before (the last delivered wins),
    ``dropped`` ones were left out by a mapping, by reason, ``quarantined`` ones are in ``quarantine``, the key of a
    CSV file in the quarantine zone. Header and blank lines are no records.
    """

    table: str
    key: str
    sha256: str
    records: int = 0
    accepted: int = 0
    merged: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    blank: int = 0
    quarantine: str | None = None

    @property
    def accounted(self) -> int:
        """The records whose fate is known."""
        return self.accepted + self.merged + sum(self.dropped.values()) + self.quarantined

    def as_json(self) -> dict[str, object]:
        """Return the fates as JSON values, as they stand in a snapshot's summary."""
        found: dict[str, object] = {
            "sha256": self.sha256,
            "key": self.key,
            "accepted": self.accepted,
            "merged": self.merged,
            "dropped": dict(self.dropped),
            "quarantined": self.quarantined,
            "records": self.records,
            "blank": self.blank,
        }
        if self.quarantine is not None:
            found["quarantine"] = self.quarantine
        return found


def summary_of(files: Sequence[FileFates]) -> dict[str, str]:
    """Return the entry of a snapshot's summary that tells the ledger what was loaded."""
    return {INGESTED: json.dumps([file.as_json() for file in files], sort_keys=True)}


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """A table after a load: its rows, and whether this load changed it."""

    name: str
    rows: int
    changed: bool


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. ``files`` are those loaded now; ``eval_set`` is ``delivered`` or ``derived``."""

    tables: tuple[LoadedTable, ...]
    files: tuple[FileFates, ...] = ()
    notes: tuple[str, ...] = ()
    eval_set: str | None = None

    @property
    def changed(self) -> bool:
        """Whether any table changed."""
        return any(table.changed for table in self.tables)

    @property
    def lines(self) -> dict[str, int]:
        """The lines of all files by fate."""
        return {
            "accepted": sum(file.accepted for file in self.files),
            "merged": sum(file.merged for file in self.files),
            "dropped": sum(sum(file.dropped.values()) for file in self.files),
            "quarantined": sum(file.quarantined for file in self.files),
        }

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "tables": {table.name: {"rows": table.rows, "changed": table.changed} for table in self.tables},
            "files": [{"table": file.table, **file.as_json()} for file in self.files],
            "lines": self.lines,
            "notes": list(self.notes),
            "eval_set": self.eval_set,
        }
