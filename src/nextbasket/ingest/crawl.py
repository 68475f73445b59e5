"""Look through landing and tell the catalog what tables are there; docs/crawl.md.

Only a part of a file is read, and a file that has not changed since the last crawl is not opened. Each table changes
in one step, so a crawl that is killed and runs again ends with the same tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from nextbasket.catalog.base import Catalog, ChangePolicy, Drift, TableDefinition
from nextbasket.errors import NotFoundError
from nextbasket.ingest.classifiers import NOTHING, Classifier
from nextbasket.ingest.content import State
from nextbasket.ingest.drift_history import DEPRECATED, Change, History, lines_of
from nextbasket.ingest.file_shape import UNREADABLE, FileShape, Headers, Memory, look_at, look_for_header
from nextbasket.ingest.group_definition import own_form, table_columns, unlike, with_forms
from nextbasket.ingest.grouping import CrawledFile, groups_of
from nextbasket.ingest.naming import table_name
from nextbasket.ingest.naming_groups import NamedGroup, named_groups
from nextbasket.ingest.partitions import partition_columns
from nextbasket.ingest.sources import is_data
from nextbasket.ingest.typed_rows import TEXT_FORMS
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.progress import Progress, silent

DATABASE = "landing"
"""The database of crawled tables."""

_MARK = "UPDATED_BY_CRAWLER"
_FILES_BETWEEN_PROGRESS = 100


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
            unread += [_why(file) for file in files if not file.shape.readable]
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
        found: dict[FileRef, FileShape] = {}
        opened: set[str] = set()
        at.say(f"crawling {folder}", 0.0)
        for number, ref in enumerate(refs):
            entry = known.get(ref.key)
            if entry is not None and entry[:2] == _mark(ref):
                found[ref] = entry[2]
                continue
            found[ref] = look_at(self._lake, ref, classifier)
            opened.add(ref.key)
            if len(opened) % _FILES_BETWEEN_PROGRESS == 0:
                at.say(f"crawling {folder}: {number + 1:,} of {len(refs):,} files", number / len(refs))
        opened |= self._look_for_headers(found, classifier)
        # What could not be read may be readable next time, with an extra installed.
        seen = {ref.key: (*_mark(ref), shape) for ref, shape in found.items() if shape.format != UNREADABLE}
        if opened or known.keys() != seen.keys():
            self._memory.remember(folder, classifier, seen)
        return [CrawledFile(ref, ref.key.partition("/")[2], shape) for ref, shape in found.items()], len(opened)

    def _look_for_headers(self, found: dict[FileRef, FileShape], classifier: Classifier) -> set[str]:
        """Look again at text files without a header where the others' headers are new; returns what was opened."""
        texts = {ref: shape for ref, shape in found.items() if shape.format in TEXT_FORMS}
        headers = Headers(frozenset(shape.columns for shape in texts.values() if shape.named))
        if not headers.columns or classifier.header is not None:
            return set()
        mark = headers.mark
        doubtful = {ref: shape for ref, shape in texts.items() if not shape.named and shape.tried != mark}
        for ref, shape in doubtful.items():
            found[ref] = look_for_header(self._lake, ref, shape, headers, classifier)
        return {ref.key for ref in doubtful}

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
        columns, notes = table_columns(group, {key.name for key in keys}, stored, classifier.types)
        format_, parameters = own_form(group, stored)
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
        wanted = with_forms(definition, one, all_, unread)
        notes += unlike(group, wanted)
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
            self._catalog.define(with_forms(kept, one, all_, unread))
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


def _mark(ref: FileRef) -> tuple[int, str]:
    return ref.size, ref.modified.isoformat()


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
