"""Look through landing and tell the catalog what tables are there; docs/crawl.md.

Only a part of a file is read, and a file that has not changed since the last crawl is not opened. Each table changes
in one step, so a crawl that is killed and runs again ends with the same tables.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from nextbasket.catalog.base import Catalog, ChangePolicy, Column, Drift, FileForm, TableDefinition
from nextbasket.catalog.in_place import FORMS, Forms, runs_of
from nextbasket.errors import NotFoundError
from nextbasket.ingest.changes import DEPRECATED, Change, History, lines_of
from nextbasket.ingest.classifiers import NOTHING, Classifier
from nextbasket.ingest.content import State
from nextbasket.ingest.file_shape import FileShape, Memory, look_at
from nextbasket.ingest.grouping import CrawledFile, Group, groups_of
from nextbasket.ingest.naming import table_name
from nextbasket.ingest.naming_groups import NamedGroup, named_groups
from nextbasket.ingest.partitions import partition_columns
from nextbasket.ingest.sources import is_data
from nextbasket.ingest.typed_rows import HEADER_NAMES, TEXT_FORMS
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.progress import Progress, silent

DATABASE = "landing"
"""The database of crawled tables."""

_MARK = "UPDATED_BY_CRAWLER"
_FILES_BETWEEN_PROGRESS = 100
_SAID = ("delimiter", "quote", "encoding", "compression")
_READERS = (*_SAID, "skip.header.line.count", HEADER_NAMES)


class DeletePolicy(StrEnum):
    """What a crawl does with a table whose files are all gone: mark it, drop it, or only say so."""

    DEPRECATE = "DEPRECATE"
    DELETE = "DELETE"
    LOG = "LOG"


@dataclass(frozen=True, slots=True)
class CrawlPolicy:
    """What a crawl changes, and what is known about folders by their table name."""

    schema: ChangePolicy = ChangePolicy.UPDATE
    delete: DeletePolicy = DeletePolicy.DEPRECATE
    classifiers: Mapping[str, Classifier] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrawledTable:
    """One table found: its files, how its definition differs from the one there was, and what is worth knowing.

    ``differences`` say the drift in lines for people; ``applied`` is False where the policy LOG only noted them.
    """

    name: str
    files: int
    drift: Drift
    notes: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    applied: bool = True


@dataclass(frozen=True, slots=True)
class GoneTable:
    """A table whose files are all gone, and what the crawl did: ``deprecated``, ``dropped`` or ``noted``."""

    name: str
    action: str


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What a crawl found; ``read`` counts the files that were opened, ``unread`` says what is no table's and why."""

    tables: tuple[CrawledTable, ...]
    read: int
    unread: tuple[str, ...] = ()
    gone: tuple[GoneTable, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "tables": [
                {
                    "table": table.name,
                    "files": table.files,
                    "created": table.drift.created,
                    "changed": bool(table.drift),
                    "applied": table.applied,
                    "differences": list(table.differences),
                    "added": [{"name": column.name, "type": column.type} for column in table.drift.added],
                    "removed": [{"name": column.name, "type": column.type} for column in table.drift.removed],
                    "retyped": [{"name": name, "from": old, "to": new} for name, old, new in table.drift.changed],
                    "altered": list(table.drift.altered),
                    "notes": list(table.notes),
                }
                for table in self.tables
            ],
            "files_read": self.read,
            "unread": list(self.unread),
            "gone": [{"table": one.name, "action": one.action} for one in self.gone],
        }


class Crawler:
    """Finds tables in landing. ``state`` remembers what was read; without it all files are read again.

    ``clock`` returns an aware time, for the history of changes.
    """

    def __init__(
        self,
        lake: Lake,
        catalog: Catalog,
        state: State,
        *,
        clock: Callable[[], datetime],
        policy: CrawlPolicy | None = None,
    ) -> None:
        self._lake = lake
        self._catalog = catalog
        self._memory = Memory(state)
        self._history = History(state)
        self._clock = clock
        self._policy = policy or CrawlPolicy()

    def crawl(self, progress: Progress = silent) -> CrawlReport:
        """Define every table found, and see to those whose files are gone, as the policy says."""
        folders, others, unread = self._folders()
        stored = {one.name: one for one in self._catalog.tables(DATABASE) if self._is_crawled(one)}
        tables: list[CrawledTable] = []
        read = 0
        for position, (folder, refs) in enumerate(sorted(folders.items())):
            at = _Place(progress, position, len(folders))
            files, opened = self._look(folder, refs, at)
            read += opened
            unread += [_unread(file) for file in files if not file.shape.readable]
            taken = frozenset(table_name(name) for name in folders if name != folder)
            tables += self._define_folder(folder, files, others.get(folder, []), stored, taken)
        gone = self._see_to_gone(stored, {table.name for table in tables})
        progress("crawled", 1.0)
        return CrawlReport(tuple(tables), read, tuple(unread), gone)

    def history(self, table: str) -> list[Change]:
        """Return how crawls changed ``database.table``, oldest first."""
        return self._history.of(table)

    # --- files ---------------------------------------------------------------------------------------------------

    def _folders(self) -> tuple[dict[str, list[FileRef]], dict[str, list[str]], list[str]]:
        """Return the data files by folder, the keys under it of other files, and what is worth saying about these."""
        folders: dict[str, list[FileRef]] = {}
        others: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        unread = []
        for ref in self._lake.list(Zone.LANDING):
            folder, slash, inside = ref.key.partition("/")
            if any(part.startswith(("_", ".")) for part in inside.split("/")):
                continue
            first = names.setdefault(table_name(folder), folder)
            if not slash:
                unread.append(f"landing/{ref.key} is in no folder: land it, or move it into landing/<table>/")
            elif first != folder:
                unread.append(f"landing/{ref.key} is left out: its folder and landing/{first} have one table's name")
            elif not is_data(ref.key) and self._classifier(folder).format is None:
                others.setdefault(folder, []).append(inside)
                unread.append(f"landing/{ref.key}: its name is not one of a data file")
            else:
                folders.setdefault(folder, []).append(ref)
        return folders, others, unread

    def _classifier(self, folder: str) -> Classifier:
        return self._policy.classifiers.get(table_name(folder), NOTHING)

    def _look(self, folder: str, refs: Sequence[FileRef], at: "_Place") -> tuple[list[CrawledFile], int]:
        """Return a folder's files with their shapes, and how many were opened for it."""
        classifier = self._classifier(folder)
        known = self._memory.recall(folder, classifier)
        seen: dict[str, tuple[int, str, FileShape]] = {}
        files = []
        opened = 0
        at.say(f"crawling {folder}", 0.0)
        for number, ref in enumerate(refs):
            mark = (ref.size, ref.modified.isoformat())
            entry = known.get(ref.key)
            if entry is None or entry[:2] != mark:
                entry = (*mark, look_at(self._lake, ref, classifier))
                opened += 1
                if opened % _FILES_BETWEEN_PROGRESS == 0:
                    at.say(f"crawling {folder}: {number + 1:,} of {len(refs):,} files", number / len(refs))
            seen[ref.key] = entry
            files.append(CrawledFile(ref, ref.key.partition("/")[2], entry[2]))
        if opened or known.keys() != seen.keys():
            self._memory.remember(folder, classifier, seen)
        return files, opened

    # --- tables --------------------------------------------------------------------------------------------------

    def _define_folder(
        self,
        folder: str,
        files: Sequence[CrawledFile],
        others: Sequence[str],
        stored: Mapping[str, TableDefinition],
        taken: frozenset[str],
    ) -> list[CrawledTable]:
        groups = groups_of([file for file in files if file.shape.readable])
        known = {name: (base, one) for name, one in stored.items() if (base := self._base(folder, one)) is not None}
        named = named_groups(table_name(folder), groups, known, taken)
        unread = [*(file.inside for file in files if not file.shape.readable), *others]
        named.sort(key=lambda one: one.name)
        return [self._define(folder, one, named, unread, stored.get(one.name)) for one in named]

    def _base(self, folder: str, definition: TableDefinition) -> str | None:
        """Return where under a folder a table lies, None when it lies elsewhere."""
        _, key = self._lake.locate(definition.location)
        if key == folder:
            return ""
        return f"{key[len(folder) + 1 :]}/" if key.startswith(f"{folder}/") else None

    def _define(
        self,
        folder: str,
        one: NamedGroup,
        all_: Sequence[NamedGroup],
        unread: Sequence[str],
        stored: TableDefinition | None,
    ) -> CrawledTable:
        group, classifier = one.group, self._classifier(folder)
        keys = partition_columns([file.inside[len(one.base) :].split("/")[:-1] for file in group.files])
        columns, notes = _columns(group, {key.name for key in keys}, stored, classifier.types)
        format_, parameters = _own_form(group, stored)
        statistics = {"objectCount": str(group.size[0]), "sizeKey": str(group.size[1])}
        definition = TableDefinition(
            database=DATABASE,
            name=one.name,
            columns=columns,
            location=self._lake.uri(Zone.LANDING, f"{folder}/{one.base}".rstrip("/")),
            format=format_,
            partition_keys=keys,
            parameters={
                **parameters,
                "classification": format_,
                "compressionType": parameters.get("compression", "none"),
                "typeOfData": "file",
                _MARK: "nextbasket",
                **statistics,
            },
        )
        wanted = _with_forms(definition, one, all_, unread)
        notes += _unlike(group, wanted)
        applied = stored is None or self._policy.schema is ChangePolicy.UPDATE
        if wanted == stored:
            return CrawledTable(wanted.full_name, len(group.files), Drift(wanted.full_name), tuple(notes))
        drift = self._catalog.define(wanted, ChangePolicy.LOG) if stored is not None else Drift("", created=True)
        lines = lines_of(drift, stored, wanted) if drift else ()
        if lines:
            self._history.note(wanted.full_name, Change(self._clock(), lines, applied), stored)
        if stored is None or applied:
            drift = self._catalog.define(wanted)
        else:
            # The schema stays; which files there are and how each is written is no schema.
            there = {name: value for name, value in stored.parameters.items() if name != DEPRECATED}
            kept = replace(stored, parameters={**there, **statistics})
            self._catalog.define(_with_forms(kept, one, all_, unread))
        return CrawledTable(wanted.full_name, len(group.files), drift, tuple(notes), lines, applied)

    # --- what is gone --------------------------------------------------------------------------------------------

    def _is_crawled(self, definition: TableDefinition) -> bool:
        """Say whether a table is a crawl's: not one that a person made in the database, with files elsewhere."""
        try:
            zone, _ = self._lake.locate(definition.location)
        except NotFoundError:
            return False
        return zone is Zone.LANDING

    def _see_to_gone(self, stored: Mapping[str, TableDefinition], found: set[str]) -> tuple[GoneTable, ...]:
        gone = []
        for definition in stored.values():
            if definition.full_name in found:
                continue
            action = "noted"
            if self._policy.delete is DeletePolicy.DELETE:
                action = "dropped"
                change = Change(self._clock(), ("- the table: its files are gone",), applied=True)
                self._history.note(definition.full_name, change, definition)
                self._catalog.drop(definition.full_name)
            elif self._policy.delete is DeletePolicy.DEPRECATE:
                action = "deprecated"
                if DEPRECATED not in definition.parameters:
                    at = self._clock()
                    marked = {**definition.parameters, DEPRECATED: at.isoformat(timespec="seconds")}
                    change = Change(at, ("~ its files are gone: deprecated",), applied=True)
                    self._history.note(definition.full_name, change, definition)
                    self._catalog.define(replace(definition, parameters=marked))
            gone.append(GoneTable(definition.full_name, action))
        return tuple(gone)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a folder stands among all, for progress."""

    progress: Progress
    position: int
    folders: int

    def say(self, message: str, within: float) -> None:
        self.progress(message, (self.position + within) / self.folders)


def _why(file: CrawledFile) -> str:
    """Say why a file is no table's; faults found by its reader name the file themselves."""
    name, fault = f"landing/{file.ref.key}", file.shape.fault
    return fault if fault.startswith(name) else f"{name}: {fault}"


def _columns(
    group: Group, keys: set[str], stored: TableDefinition | None, overrides: Mapping[str, str]
) -> tuple[tuple[Column, ...], list[str]]:
    """Return the table's columns: those it had first, in their order, then new ones; and what is worth knowing."""
    types = group.types()
    notes = [
        f"the setting crawler.tables gives a type to the column {name}, which no file has"
        for name in overrides
        if name not in types
    ]
    notes += [f"the files hold the column {name}, too: the folder's value is read" for name in types if name in keys]
    if group.renamed:
        count = len(group.renamed)
        example = next(iter(group.renamed))
        notes.append(
            f"{count} file{'s' if count > 1 else ''} without a header (such as {example}) "
            "are read by position, as the other files' columns"
        )
    comments = {column.name: column.comment for column in stored.columns} if stored is not None else {}
    ordered = [*(name for name in comments if name in types), *(name for name in types if name not in comments)]
    columns = tuple(
        Column(name, overrides.get(name, types[name]), comments.get(name, "")) for name in ordered if name not in keys
    )
    if not columns:
        # Every column is a folder's, too: a table needs one of its own.
        columns = tuple(Column(f"{name}_in_file", types[name]) for name in ordered)
    return columns, notes


def _own_form(group: Group, stored: TableDefinition | None) -> tuple[str, dict[str, str]]:
    """Return the format and the reader's parameters of the table: the stored ones while files have them."""
    counts = Counter((file.shape.format, tuple(file.shape.parameters.items())) for file in group.files)
    if stored is not None:
        for format_, parameters in counts:
            if format_ == stored.format and dict(parameters).items() <= stored.parameters.items():
                return format_, dict(parameters)
    (format_, parameters), _ = max(counts.items(), key=lambda item: item[1])
    return format_, dict(parameters)


def _unlike(group: Group, definition: TableDefinition) -> list[str]:
    """Say which files are not written as the table is, other than in their columns."""
    own = {name: definition.parameters.get(name) for name in _READERS if name in definition.parameters}
    differing: list[tuple[str, str]] = []
    for file in group.files:
        given = file.shape.parameters
        parts = [f"{name} {given[name]!r}" for name in _SAID if name in given and given[name] != own.get(name)]
        if file.shape.format != definition.format:
            parts = [file.shape.format]
        if parts:
            differing.append((file.inside, ", ".join(parts)))
    if not differing:
        return []
    inside, parts_ = differing[0]
    many = f"{len(differing)} files are" if len(differing) > 1 else "1 file is"
    return [f"{many} written differently and read so (such as {inside}: {parts_})"]


def _with_forms(
    definition: TableDefinition, one: NamedGroup, all_: Sequence[NamedGroup], unread: Sequence[str]
) -> TableDefinition:
    """Return the definition with what it says about files that are not written as the table is, or are not its own."""
    own_columns = tuple(column.name for column in definition.columns)
    own = {name: definition.parameters[name] for name in _READERS if name in definition.parameters}
    made: dict[tuple[object, ...], FileForm | None] = {}
    written: dict[str, FileForm | None] = {}
    for file in one.group.files:
        columns, shape = one.group.columns_of(file), file.shape
        key = (shape.format, columns, id(shape.parameters))
        if key not in made:
            by_name = shape.format not in TEXT_FORMS
            same = shape.format == definition.format and (
                dict(shape.parameters) == own and (by_name or columns == own_columns)
            )
            made[key] = None if same else FileForm(shape.format, columns, dict(shape.parameters))
        written[file.inside[len(one.base) :]] = made[key]
    others = [file.inside for other in all_ if other is not one for file in other.group.files]
    others = [name[len(one.base) :] for name in (*others, *unread) if name.startswith(one.base)]
    if one.main or one.base:
        excluded = [name[len(one.base) :] for name in unread if name.startswith(one.base)]
        for other in all_ if one.main else ():
            if other is not one:
                excluded += [other.base] if other.base else [file.inside for file in other.group.files]
        differing = any(form is not None for form in written.values())
        forms = Forms(runs_of(written, others) if differing else (), tuple(sorted(excluded)))
    else:
        forms = Forms(runs_of(written, others), closed=True)
    parameters = {name: value for name, value in definition.parameters.items() if name != FORMS}
    if forms:
        parameters[FORMS] = forms.as_text()
    return replace(definition, parameters=parameters)


def _unread(file: CrawledFile) -> str:
    name = f"landing/{file.ref.key}"
    return file.shape.fault if file.shape.fault.startswith(name) else f"{name}: {file.shape.fault}"
