"""Tables read in place: which files of a location belong to one, their partition values, and how each is written.

A crawl finds files in one folder that are not written alike: an older one lacks a column, another is cut by
semicolons, a third belongs to another table. That is part of the definition, as the parameter ``FORMS``: a JSON text
that names runs of files (by first and last key under the location), so that a table of ten thousand files stays small
and a crawl changes a table in one step.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from nextbasket.catalog.base import FORMS, NULL_PARTITION, VIEW, DataFile, FileForm, Scan, TableDefinition
from nextbasket.catalog.types import arrow_schema
from nextbasket.errors import InputError
from nextbasket.lake.base import FileRef, Lake, Zone

__all__ = ["FORMS", "UNKNOWN_ROWS", "Forms", "partition_values", "runs_of", "scan_in_place"]

UNKNOWN_ROWS = -1
"""The row count of a file that is read in place: nobody has counted it."""

_PLAIN_LEVEL = re.compile(r"^partition_(\d+)$")


@dataclass(frozen=True, slots=True)
class Forms:
    """How a table's files are written. Keys are relative to the table's location.

    ``runs`` are (first key, last key, form) in order and without overlap; None as form stands for the table's own.
    A file in no run has the table's own form, unless it is ``excluded`` (an exact key, or a folder ending in ``/``)
    or ``closed`` says that only files in runs belong to the table.
    """

    runs: tuple[tuple[str, str, FileForm | None], ...] = ()
    excluded: tuple[str, ...] = ()
    closed: bool = False

    def __bool__(self) -> bool:
        return bool(self.runs or self.excluded or self.closed)

    def as_text(self) -> str:
        """Return the value of the parameter ``FORMS``."""
        forms: list[dict[str, object]] = []
        runs = []
        for first, last, form in self.runs:
            number = None
            if form is not None:
                raw: dict[str, object] = {
                    "format": form.format,
                    "columns": list(form.columns),
                    "parameters": dict(form.parameters),
                }
                number = forms.index(raw) if raw in forms else len(forms)
                forms += [raw] if number == len(forms) else []
            runs.append([first, last, number])
        document = {"forms": forms, "runs": runs, "excluded": list(self.excluded), "closed": self.closed}
        return json.dumps(document, ensure_ascii=False)

    @staticmethod
    def of(definition: TableDefinition) -> "Forms":
        """Return the forms that a definition carries."""
        text = definition.parameters.get(FORMS)
        if text is None:
            return Forms()
        raw = json.loads(text)
        forms = [FileForm(one["format"], tuple(one["columns"]), one["parameters"]) for one in raw["forms"]]
        runs = tuple((first, last, None if at is None else forms[at]) for first, last, at in raw["runs"])
        return Forms(runs, tuple(raw["excluded"]), raw["closed"])


def scan_in_place(definition: TableDefinition, lake: Lake) -> Scan:
    """Plan a read of the files that are in a table's location now.

    Hidden names (that start with ``.`` or ``_``) are left out, as Athena has it. A file that lies in no folder of a
    partition key has NULL there.
    """
    if definition.format == VIEW:
        raise InputError(f"{definition.full_name} is a view and has no files of its own: read it with a query.")
    zone, key = lake.locate(definition.location)
    keys = [column.name for column in definition.partition_keys]
    forms = Forms.of(definition)
    firsts = [first for first, _, _ in forms.runs]
    exact = {name for name in forms.excluded if not name.endswith("/")}
    folders = tuple(name for name in forms.excluded if name.endswith("/"))
    files: list[DataFile] = []
    partitions: dict[str, dict[str, str]] = {}
    written: dict[str, FileForm] = {}
    for ref in _located(lake, zone, key):
        inside = ref.key[len(key) :].strip("/")
        parts = inside.split("/")
        if any(part.startswith(("_", ".")) for part in parts):
            continue
        if forms:
            if inside in exact or (folders and inside.startswith(folders)):
                continue
            at = bisect_right(firsts, inside) - 1
            found = at >= 0 and inside <= forms.runs[at][1]
            if not found and forms.closed:
                continue
            form = forms.runs[at][2] if found else None
            if form is not None:
                written[ref.uri] = form
        files.append(DataFile(ref.uri, UNKNOWN_ROWS, ref.size))
        if keys:
            partitions[ref.uri] = partition_values(keys, parts[:-1])
    return Scan(
        definition.full_name,
        definition.format,
        tuple(files),
        arrow_schema((*definition.columns, *definition.partition_keys)),
        None,
        {name: value for name, value in definition.parameters.items() if name != FORMS},
        partitions,
        written,
    )


def partition_values(keys: Sequence[str], folders: Sequence[str]) -> dict[str, str]:
    """Return the values that the folders between a table's location and a file give its partition keys.

    A folder ``key=value`` gives the key of that name (the value percent-decoded), a plain folder at level n (from 0)
    the key ``partition_n``; a key without a folder is NULL.

    >>> partition_values(["day", "partition_0"], ["2026", "day=1%2F2"])
    {'day': '1/2', 'partition_0': '2026'}
    """
    named = {}
    for folder in folders:
        name, equals, value = folder.partition("=")
        if equals:
            named[name.lower()] = unquote(value)
    return {key: named[key] if key in named else _plain(key, folders) for key in keys}


def _plain(key: str, folders: Sequence[str]) -> str:
    level = _PLAIN_LEVEL.match(key)
    if level is None or int(level[1]) >= len(folders) or "=" in folders[int(level[1])]:
        return NULL_PARTITION
    return folders[int(level[1])]


def runs_of(
    forms: Mapping[str, FileForm | None], others: Iterable[str] = ()
) -> tuple[tuple[str, str, FileForm | None], ...]:
    """Return the runs of neighbouring keys with one form, of files given with their forms by relative key.

    A key in ``others``, a file of another table, is in no run.
    """
    runs: list[tuple[str, str, FileForm | None]] = []
    apart = True
    for key in sorted({*forms, *others}):
        if key not in forms:
            apart = True
            continue
        form = forms[key]
        if not apart and runs[-1][2] == form:
            runs[-1] = (runs[-1][0], key, form)
        else:
            runs.append((key, key, form))
        apart = False
    return tuple(runs)


def _located(lake: Lake, zone: Zone, key: str) -> list[FileRef]:
    # The slash keeps out "orders_old/…" beside "orders"; a location may also be one single file.
    refs = list(lake.list(zone, f"{key}/" if key else ""))
    if not refs and key:
        refs = [ref for ref in lake.list(zone, key) if ref.key == key]
    return refs
