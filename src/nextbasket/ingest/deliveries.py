"""Which landed files belong to which table of the layout, and whether their columns are the ones expected."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nextbasket.grocery.tables import LINE_TABLES, ORDER_PRODUCTS, LayoutTable
from nextbasket.ingest.landed import form_of, shape_of
from nextbasket.ingest.naming import table_name
from nextbasket.ingest.sniff import TextShape
from nextbasket.ingest.sources import is_data
from nextbasket.ingest.typed_rows import TEXT_FORMS, named_columns
from nextbasket.lake.base import FileRef, Lake, Zone

_SIMILAR = 0.75


@dataclass(frozen=True, slots=True)
class Delivery:
    """One landed file for one table. ``columns`` maps the layout's columns to their positions in the file.

    ``shape`` is None for a file whose ``form`` has names of its own (JSON, Parquet, ORC, Avro), and has no columns for
    an empty one.
    """

    table: LayoutTable
    ref: FileRef
    sha256: str
    shape: TextShape | None = None
    columns: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    form: str = "csv"

    @property
    def name(self) -> str:
        """The file as people know it."""
        return f"landing/{self.ref.key}"

    @property
    def empty(self) -> bool:
        """Whether the file has not even a header."""
        return not self.names


def landing_tables(table: LayoutTable) -> tuple[str, ...]:
    """Return the landing tables whose rows a table of the layout takes."""
    return LINE_TABLES if table is ORDER_PRODUCTS else (table.name,)


def landed_files(lake: Lake) -> dict[str, list[FileRef]]:
    """Return landing's data files by landing table, in the order they were delivered: by landing time, then key."""
    found: dict[str, list[FileRef]] = {}
    for ref in lake.list(Zone.LANDING):
        folder, slash, _ = ref.key.partition("/")
        if slash and is_data(ref.key):
            found.setdefault(table_name(folder), []).append(ref)
    for refs in found.values():
        refs.sort(key=lambda ref: (ref.modified, ref.key))
    return found


def open_delivery(lake: Lake, table: LayoutTable, ref: FileRef, sha256: str) -> tuple[Delivery, list[str], list[str]]:
    """Look at a file's header; returns the delivery, its faults and what is worth noting, one sentence each."""
    form = form_of(ref.key)
    shape = shape_of(lake, ref) if form in TEXT_FORMS else None
    names = named_columns(lake, ref, form)[0] if shape is None else shape.columns
    found: dict[str, int] = {}
    faults: list[str] = []
    notes: list[str] = []
    where = f"landing/{ref.key}"
    if not names:
        notes.append(f"{where} is empty: it has not even a header")
        return Delivery(table, ref, sha256, shape, form=form), faults, notes
    if shape is not None and len(names) == 1:
        faults.append(
            f"{where} has one column only: its delimiter is none of those known (comma, semicolon, tab, |); "
            "write the file with one of them"
        )
        return Delivery(table, ref, sha256, shape, found, names, form), faults, notes
    if shape is not None and not shape.header:
        faults.append(
            f"{where} has no header: its first line must name the columns {', '.join(table.required_columns)}"
        )
        return Delivery(table, ref, sha256, shape, {}, names, form), faults, notes
    lowered = [name.strip().lower() for name in names]
    wanted = [column.name for column in table.columns]
    for name in wanted:
        if lowered.count(name) > 1:
            faults.append(f"{where} has the column '{name}' {lowered.count(name)} times; keep one")
        elif name in lowered:
            found[name] = lowered.index(name)
    others = [name for name, low in zip(names, lowered, strict=True) if low not in wanted]
    for column in table.columns:
        if column.name in found:
            continue
        near = _nearest(column.name, others)
        if not column.optional:
            hint = f"found '{near}'; rename it" if near else f"its columns are {', '.join(names)}"
            faults.append(f"{where} has no column '{column.name}' ({hint})")
        else:
            hint = f" (found '{near}')" if near else ""
            if column.name != "eval_set" or near:
                # Without near miss nothing is left out: eval_set is then derived, which the loader says.
                notes.append(f"{where} has no column '{column.name}'{hint}: what depends on it is left out")
        others = [name for name in others if name != near]
    if others:
        notes.append(f"{where}: the columns {', '.join(others)} are not part of the layout and are ignored")
    return Delivery(table, ref, sha256, shape, found, names, form), faults, notes


def _nearest(wanted: str, names: Sequence[str]) -> str | None:
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in names}
    found = difflib.get_close_matches(wanted.replace("_", ""), list(plain), n=1, cutoff=_SIMILAR)
    return plain[found[0]] if found else None
