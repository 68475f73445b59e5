"""Make a table in place readable by any engine: what an engine might read otherwise is written once as Parquet.

Parquet is read where it lies, and so is CSV that every reader sees alike (``_in_place``). Every other file, in
whatever encoding, notation or form, is read here, strictly, and kept as one Parquet file in the cache zone, named by
its content and by how it was read. The cache may be lost without harm.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from nextbasket.catalog.base import DataFile, FileForm, Scan
from nextbasket.ingest.content import LandedContent, State
from nextbasket.ingest.landed import compression, open_utf8
from nextbasket.ingest.records import Signs, examine
from nextbasket.ingest.sniff import TextShape
from nextbasket.ingest.typed_rows import TEXT_FORMS, text_shape, typed_rows
from nextbasket.lake.base import FileRef, Lake, Zone

DATABASE = "landing"
"""The database of crawled tables."""

_STATE = "readable."
_VERSION = 1
_GROUP_ROWS = 122_880
_GROUP_CELLS = 8_000_000
_KEPT_FOR = timedelta(hours=1)
_IN_PLACE = {
    pa.int64(): frozenset((Signs.DIGITS,)),
    pa.float64(): frozenset((Signs.DIGITS, Signs.ZEROS, Signs.POINTS)),
    pa.string(): frozenset(Signs),
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a file: its mark and form, how its dates are ordered, and what it is read from.

    ``reading`` says for which types and orders ``cached`` (key, rows) was made; no key means that it is read in place.
    """

    mark: str
    orders: Mapping[str, str]
    reading: str = ""
    cached: tuple[str, int] | None = None


def _go_on() -> None:
    pass


class ReadableFiles:
    """Gives scans of tables in place whose files any engine reads alike; ``state`` remembers what was found."""

    def __init__(self, lake: Lake, state: State) -> None:
        self._lake = lake
        self._state = state

    def applies(self, scan: Scan) -> bool:
        """Say whether the scan is of a crawled table that is not all Parquet."""
        formats = {scan.format, *(form.format for form in scan.forms.values())}
        return scan.table.startswith(f"{DATABASE}.") and bool(scan.files) and formats != {"parquet"}

    def scan(self, scan: Scan, checkpoint: Callable[[], None] = _go_on) -> Scan:
        """Return the scan with every file that is not read in place replaced by its Parquet.

        ``checkpoint`` is called for each file and each megabyte, and raises when it is time to stop. Raises InputError
        for a file that cannot be read as its table's rows, with its line where that is known.
        """
        own = FileForm(scan.format, _own_columns(scan), scan.parameters)
        forms = {file.uri: scan.forms.get(file.uri, own) for file in scan.files}
        folder = self._lake.locate(scan.files[0].uri)[1].partition("/")[0]
        refs = {ref.uri: ref for ref in self._lake.list(Zone.LANDING, f"{folder}/")}
        return _Reading(self._lake, self._state, scan, forms, refs, checkpoint).scan()

    def forget(self) -> None:
        """Delete all that was kept; it is made again when it is asked for."""
        for ref in list(self._lake.list(Zone.CACHE)):
            self._lake.delete(ref)


class _Reading:
    """One scan being made readable."""

    def __init__(
        self,
        lake: Lake,
        state: State,
        scan: Scan,
        forms: Mapping[str, FileForm],
        refs: Mapping[str, FileRef],
        checkpoint: Callable[[], None],
    ) -> None:
        self._lake = lake
        self._state = state
        self._scan = scan
        self._forms = forms
        self._refs = refs
        self._content = LandedContent(lake, state)
        columns = set(_own_columns(scan))
        self._schema = pa.schema([field for field in scan.schema if field.name in columns]).remove_metadata()
        self._table = scan.table
        self._there = {ref.key: ref for ref in lake.list(Zone.CACHE, f"{self._table}/")}
        self._checkpoint = checkpoint
        self._newest: FileRef | None = None
        self._shapes: dict[str, TextShape] = {}

    def scan(self) -> Scan:
        """Return the scan to read."""
        before = self._recalled()
        there = {ref.key for ref in self._refs.values()}
        # A scan may be of some of the table's files only: what is known of the others holds.
        after = {key: one for key, one in before.items() if key in there}
        for file in self._scan.files:
            if self._converts(file.uri):
                ref = self._refs[file.uri]
                after[ref.key] = self._look(ref, after.get(ref.key))
        orders = _agreed([one.orders for one in after.values()])
        files, forms, sources, partitions = [], dict(self._scan.forms), {}, dict(self._scan.partitions)
        for file in self._scan.files:
            if not self._converts(file.uri):
                files.append(file)
                continue
            self._checkpoint()
            ref = self._refs[file.uri]
            found = after[ref.key] = self._found(ref, after[ref.key], orders)
            if found.cached is None:
                files.append(file)
                forms[file.uri] = _unquoted(self._forms[file.uri])
                continue
            kept = self._there[found.cached[0]]
            files.append(DataFile(kept.uri, found.cached[1], kept.size))
            forms[kept.uri] = FileForm("parquet", tuple(self._schema.names))
            forms.pop(file.uri, None)
            sources[kept.uri] = file.uri
            if file.uri in partitions:
                partitions[kept.uri] = partitions.pop(file.uri)
        if after != before:
            self._remember(after)
        return replace(self._scan, files=tuple(files), forms=forms, sources=sources, partitions=partitions)

    def _converts(self, uri: str) -> bool:
        return uri in self._refs and self._forms[uri].format != "parquet"

    def _look(self, ref: FileRef, known: _Known | None) -> _Known:
        form = self._forms[ref.uri]
        mark = _fingerprint([ref.size, ref.modified.isoformat(), _written(form)])
        if known is not None and known.mark == mark:
            return known
        if form.format not in TEXT_FORMS:
            return _Known(mark, {})
        shape = self._shape(ref, form)
        orders = {
            name: notation.order
            for name, notation in zip(form.columns, shape.notations, strict=False)
            if notation.order
        }
        return _Known(mark, orders)

    def _found(self, ref: FileRef, known: _Known, agreed: Mapping[str, str]) -> _Known:
        """Return what a file is read from, made now where it was not yet."""
        orders = {name: agreed.get(name, "?") for name, order in known.orders.items() if order == "?"}
        kinds = [(field.name, str(field.type)) for field in self._schema]
        form = self._forms[ref.uri]
        # The key, too: two files of one content lie in two folders, and a row's partition is told by its file.
        reading = _fingerprint([_VERSION, ref.key, _written(form), kinds, sorted(orders.items())])
        if known.reading == reading and (known.cached is None or known.cached[0] in self._there):
            return known
        if self._in_place(ref, form):
            return replace(known, reading=reading, cached=None)
        key = f"{self._table}/{self._content.sha256(ref)[:24]}-{reading}.parquet"
        kept = self._there.get(key)
        if kept is None:
            kept = self._write(ref, form, orders, key)
        with self._lake.open(kept) as stream:
            rows = pq.read_metadata(stream).num_rows
        return replace(known, reading=reading, cached=(key, rows))

    def _in_place(self, ref: FileRef, form: FileForm) -> bool:
        """Say whether an engine's CSV reader gives the rows that ours does: looks at every byte."""
        if form.format != "csv" or compression(ref) not in ("none", "gzip"):
            return False
        shape = self._shape(ref, form)
        if not shape.plainly or len(shape.columns) != len(form.columns):
            return False
        kinds = {field.name: field.type for field in self._schema}
        if not set(kinds.values()) <= _IN_PLACE.keys():
            return False
        with open_utf8(self._lake, ref, shape) as stream:
            anatomy = examine(stream, shape.delimiter, shape.width, header=shape.header)
        # A text stands in the file as it is, and a number written with digits and points means the same to all; of
        # other values readers think differently: DuckDB takes 1.7 for 2 in a column of whole numbers.
        return anatomy.plain and (
            anatomy.digits
            or all(
                name not in kinds or signs in _IN_PLACE[kinds[name]]
                for name, signs in zip(form.columns, anatomy.columns, strict=True)
            )
        )

    def _shape(self, ref: FileRef, form: FileForm) -> TextShape:
        if ref.key not in self._shapes:
            self._shapes[ref.key] = text_shape(self._lake, ref, form)
        return self._shapes[ref.key]

    def _write(self, ref: FileRef, form: FileForm, orders: Mapping[str, str], key: str) -> FileRef:
        with tempfile.TemporaryFile() as made:
            with pq.ParquetWriter(made, self._schema, compression="zstd", compression_level=1) as writer:
                pending: list[pa.Table] = []
                rows = 0
                shape = self._shape(ref, form) if form.format in TEXT_FORMS else None
                for table in typed_rows(self._lake, ref, form, self._schema, orders, shape):
                    self._checkpoint()
                    pending.append(table)
                    rows += table.num_rows
                    if rows >= _GROUP_ROWS or rows * len(self._schema) >= _GROUP_CELLS:
                        writer.write_table(pa.concat_tables(pending))
                        pending, rows = [], 0
                if rows:
                    writer.write_table(pa.concat_tables(pending))
            made.seek(0)
            kept = self._lake.put(Zone.CACHE, key, cast(BinaryIO, made))
        self._there[key] = self._newest = kept
        return kept

    def _recalled(self) -> dict[str, _Known]:
        stored = json.loads(self._state.state(_STATE + self._table) or "{}")
        if stored.get("version") != _VERSION:
            return {}
        return {
            key: _Known(mark, orders, reading, tuple(cached) if cached else None)
            for key, (mark, orders, reading, cached) in stored["files"].items()
        }

    def _remember(self, files: Mapping[str, _Known]) -> None:
        listed = {key: [one.mark, one.orders, one.reading, one.cached] for key, one in files.items()}
        self._content.save()
        self._state.set_state(_STATE + self._table, json.dumps({"version": _VERSION, "files": listed}))
        if self._newest is None:
            return
        # What an hour ago was of use may still be read by a query; the newest file tells the time.
        kept = {one.cached[0] for one in files.values() if one.cached}
        for key, ref in self._there.items():
            if key not in kept and ref.modified < self._newest.modified - _KEPT_FOR:
                self._lake.delete(ref)


def _own_columns(scan: Scan) -> tuple[str, ...]:
    keys = {key for values in scan.partitions.values() for key in values}
    return tuple(name for name in scan.schema.names if name not in keys)


def _agreed(orders: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the order of day and month of the columns in which all files that tell one agree."""
    found: dict[str, set[str]] = {}
    for one in orders:
        for name, order in one.items():
            found.setdefault(name, set()).add(order)
    return {name: min(told) for name, all_orders in found.items() if len(told := all_orders - {"?"}) == 1}


def _written(form: FileForm) -> list[Any]:
    return [form.format, form.columns, sorted(form.parameters.items())]


def _unquoted(form: FileForm) -> FileForm:
    # No quote stands in such a file, and none that an engine imagines can swallow lines.
    return replace(form, parameters={**form.parameters, "quote": ""})


def _fingerprint(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
