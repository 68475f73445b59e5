"""Take a person's lines out of quarantine, and keep what is left pointing at the right lines of its landed file."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from nextbasket.errors import InputError
from nextbasket.ingest.forget_files import Marks, columns_as_written, words_of
from nextbasket.ingest.forget_person import LandingMarks
from nextbasket.ingest.landed import form_of
from nextbasket.lake.base import FileRef, Lake, Zone

_HEAD = ["file", "line", "reason", "raw"]


class QuarantinedLines:
    """The quarantine zone's CSV files, each with ``file``, ``line``, ``reason`` and ``raw``.

    ``rewritten`` tells, by its new hash, of each landed file that was written again.

    A line is the person's when one of its fields is, by the columns of the landed file it came from; a line that does
    not have those fields is when it carries one of the values as a word.
    """

    def __init__(
        self, lake: Lake, marks: LandingMarks, rewritten: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self._lake = lake
        self._marks = marks
        self._rewritten = rewritten or {}
        self._landed = {f"landing/{ref.key}": ref for ref in lake.list(Zone.LANDING)}
        for one in self._rewritten.values():
            now = self._landed.get(f"landing/{one['key']}")
            if now is not None and "former_key" in one:
                self._landed.setdefault(f"landing/{one['former_key']}", now)
        self._shapes: dict[str, tuple[Sequence[str], str] | None] = {}

    def count(self, ref: FileRef) -> int:
        """Return how many of a quarantine file's lines are the person's."""
        return sum(1 for row in self._rows(ref) if self._theirs(row))

    def of_content(self, sha256: str) -> int:
        """Return how many of the person's lines are quarantined from a landed content."""
        return sum(self.count(ref) for ref in self.files() if ref.key.endswith(f"-{sha256[:10]}.csv"))

    def files(self) -> list[FileRef]:
        """Return the quarantine's CSV files."""
        return [ref for ref in self._lake.list(Zone.QUARANTINE) if ref.key.endswith(".csv")]

    def clean(self, ref: FileRef) -> int:
        """Write a quarantine file without the person's lines; returns how many there were.

        Where its landed file was written again, the numbers of the lines behind those that went are less now, and the
        quarantine file is named after the new content.
        """
        rows = self._rows(ref)
        kept = [row for row in rows if not self._theirs(row)]
        key = ref.key
        for new, one in self._rewritten.items():
            former = str(one.get("former", ""))
            if not former or not ref.key.endswith(f"-{former[:10]}.csv"):
                continue
            key = ref.key.replace(former[:10], new[:10])
            for row in kept:
                row["file"] = f"landing/{one['key']}"
                if row["line"].isdecimal():
                    row["line"] = str(int(row["line"]) - sum(1 for line in one["lines"] if line < int(row["line"])))
        if key == ref.key and len(kept) == len(rows):
            return 0
        if kept:
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, _HEAD, quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
            self._lake.put(Zone.QUARANTINE, key, io.BytesIO(text.getvalue().encode()))
        if key != ref.key or not kept:
            self._lake.delete(ref)
        return len(rows) - len(kept)

    def _rows(self, ref: FileRef) -> list[dict[str, str]]:
        with self._lake.open(ref) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
            rows = list(csv.DictReader(text))
        if rows and set(rows[0]) != set(_HEAD):
            raise InputError(f"quarantine/{ref.key} has other columns than {', '.join(_HEAD)}; delete it.")
        return rows

    def _theirs(self, row: Mapping[str, str]) -> bool:
        ref = self._landed.get(row["file"])
        marks: Marks = self._marks.of(ref) if ref is not None else self._marks.everywhere
        shape = self._shape(row["file"])
        if shape is not None:
            names, delimiter = shape
            fields = next(csv.reader([row["raw"]], delimiter=delimiter), [])
            if len(fields) == len(names):
                given = zip(names, fields, strict=True)
                return any(field.strip() in marks.get(name, ()) for name, field in given)
        return words_of(marks).search(row["raw"]) is not None

    def _shape(self, file: str) -> tuple[Sequence[str], str] | None:
        if file not in self._shapes:
            ref = self._landed.get(file)
            self._shapes[file] = None
            if ref is not None and form_of(ref.key) == "csv":
                shape, names = columns_as_written(self._lake, ref, self._marks.written(ref))
                self._shapes[file] = (names, shape.delimiter)
        return self._shapes[file]
