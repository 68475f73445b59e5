"""Look through landing and tell the catalog what tables are there: one for each folder.

Only a file's beginning is read, and a file that has not changed since the last crawl is not read again.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from nextbasket.catalog.base import Catalog, ChangePolicy, Column, Drift, TableDefinition
from nextbasket.catalog.types import to_text
from nextbasket.errors import InputError
from nextbasket.ingest.content import State
from nextbasket.ingest.landed import compression, is_parquet, shape_of
from nextbasket.ingest.naming import table_name
from nextbasket.ingest.sniff import TextShape, column_names, common_type
from nextbasket.ingest.sources import is_data
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.progress import Progress, silent

DATABASE = "landing"
"""The database of crawled tables."""

_STATE = "ingest.crawled"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class CrawledTable:
    """One table found: its files, how its definition changed, and what a person should know about it."""

    name: str
    files: int
    drift: Drift
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What a crawl found; ``read`` counts the files that were opened, ``gone`` names tables without files."""

    tables: tuple[CrawledTable, ...]
    read: int
    unread: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "tables": [
                {"table": table.name, "files": table.files, "changed": bool(table.drift), "notes": list(table.notes)}
                for table in self.tables
            ],
            "files_read": self.read,
            "unread": list(self.unread),
            "gone": list(self.gone),
        }


@dataclass(frozen=True, slots=True)
class _FileShape:
    """What one file says about its table. ``format`` is ``csv``, ``parquet`` or ``empty``."""

    format: str
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)


class Crawler:
    """Finds tables in landing. ``state`` remembers what was read; without it all files are read again."""

    def __init__(self, lake: Lake, catalog: Catalog, state: State) -> None:
        self._lake = lake
        self._catalog = catalog
        self._state = state

    def crawl(self, policy: ChangePolicy = ChangePolicy.UPDATE, progress: Progress = silent) -> CrawlReport:
        """Define every table found; with policy LOG differences are reported and known definitions stay."""
        folders, unread = self._folders()
        known = self._remembered()
        seen: dict[str, list[object]] = {}
        tables = []
        read = 0
        for position, (name, refs) in enumerate(sorted(folders.items())):
            progress(f"crawling {name}", position / len(folders))
            shapes: dict[str, _FileShape] = {}
            for ref in refs:
                mark = [ref.size, ref.modified.isoformat()]
                entry = known.get(ref.key)
                if entry is not None and entry[:2] == mark:
                    shapes[ref.key] = _FileShape(**entry[2])  # type: ignore[arg-type] # as it was written below
                else:
                    shapes[ref.key] = self._read(ref)
                    read += 1
                seen[ref.key] = [*mark, asdict(shapes[ref.key])]
            table = self._define(name, refs, shapes, policy)
            if table is not None:
                tables.append(table)
            unread += [f"landing/{key} is empty" for key, shape in shapes.items() if shape.format == "empty"]
        if seen != known:
            self._state.set_state(_STATE, json.dumps({"version": _VERSION, "files": seen}))
        gone = tuple(one.full_name for one in self._catalog.tables(DATABASE) if one.name not in folders)
        return CrawlReport(tuple(tables), read, tuple(unread), gone)

    def _folders(self) -> tuple[dict[str, list[FileRef]], list[str]]:
        folders: dict[str, list[FileRef]] = {}
        unread = []
        for ref in self._lake.list(Zone.LANDING):
            folder, slash, _ = ref.key.partition("/")
            if not slash:
                unread.append(f"landing/{ref.key} is in no folder: land it, or move it into landing/<table>/")
            elif not is_data(ref.key):
                unread.append(f"landing/{ref.key} is neither csv nor parquet")
            else:
                folders.setdefault(table_name(folder), []).append(ref)
        return folders, unread

    def _remembered(self) -> dict[str, list[object]]:
        stored = json.loads(self._state.state(_STATE) or "{}")
        return dict(stored["files"]) if stored.get("version") == _VERSION else {}

    def _read(self, ref: FileRef) -> _FileShape:
        if is_parquet(ref):
            return self._read_parquet(ref)
        shape = shape_of(self._lake, ref)
        if not shape.columns:
            return _FileShape("empty")
        return _FileShape("csv", shape.columns, shape.types, _parameters(shape, ref))

    def _read_parquet(self, ref: FileRef) -> _FileShape:
        try:
            with self._lake.open(ref) as stream:
                schema = pq.read_schema(stream)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"landing/{ref.key} is not a whole Parquet file ({error}); delete it there and land it again."
            ) from error
        types = []
        for one in schema:
            try:
                types.append(to_text(one.type))
            except InputError:
                types.append("string")
        return _FileShape("parquet", tuple(schema.names), tuple(types), {})

    def _define(
        self, name: str, refs: Sequence[FileRef], shapes: dict[str, _FileShape], policy: ChangePolicy
    ) -> CrawledTable | None:
        useful = {key: shape for key, shape in shapes.items() if shape.format != "empty"}
        if not useful:
            return None
        formats = Counter(
            (shape.format, json.dumps(shape.parameters, sort_keys=True), str(column_names(shape.columns)))
            for shape in useful.values()
        )
        most = formats.most_common(1)[0][0]
        notes = []
        types: dict[str, list[str]] = {}
        parameters: dict[str, str] = {}
        format_ = most[0]
        for key, shape in useful.items():
            names = column_names(shape.columns)
            for column, kind in zip(names, shape.types, strict=True):
                types.setdefault(column, []).append(kind)
            if (shape.format, json.dumps(shape.parameters, sort_keys=True), str(names)) == most:
                parameters = shape.parameters
            else:
                notes.append(
                    f"landing/{key} is not written as the other files of {name} are: load reads it all the same, "
                    "a query of the folder in place does not"
                )
        partitions = _partition_keys(refs)
        columns = tuple(
            Column(column, common_type(kinds)) for column, kinds in types.items() if column not in partitions
        )
        definition = TableDefinition(
            database=DATABASE,
            name=name,
            columns=columns,
            location=self._lake.uri(Zone.LANDING, refs[0].key.split("/", 1)[0]),
            format=format_,
            partition_keys=tuple(Column(key, "string") for key in partitions),
            parameters=parameters,
        )
        return CrawledTable(definition.full_name, len(refs), self._catalog.define(definition, policy), tuple(notes))


def _parameters(shape: TextShape, ref: FileRef) -> dict[str, str]:
    return {
        "delimiter": shape.delimiter,
        "quote": shape.quote,
        "skip.header.line.count": "1" if shape.header else "0",
        "encoding": shape.encoding,
        "compression": compression(ref),
    }


def _partition_keys(refs: Sequence[FileRef]) -> list[str]:
    keys: dict[str, None] = {}
    for ref in refs:
        for part in ref.key.split("/")[1:-1]:
            name, equals, _ = part.partition("=")
            if equals:
                keys[name.lower()] = None
    return list(keys)
