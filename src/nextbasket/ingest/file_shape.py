"""What one landed file says about the table it belongs to, remembered so that it is looked at once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nextbasket.errors import InputError, MissingExtraError, NotFoundError
from nextbasket.ingest.classifiers import NOTHING, Classifier
from nextbasket.ingest.content import State
from nextbasket.ingest.landed import compression, form_of, shape_of
from nextbasket.ingest.sniff import column_names
from nextbasket.ingest.typed_rows import HEADER_NAMES, IGNORED, TEXT_FORMS, named_columns
from nextbasket.lake.base import FileRef, Lake

EMPTY, UNREADABLE = "empty", "unreadable"
_STATE = "crawl.files."
_VERSION = 4


@dataclass(frozen=True, slots=True)
class FileShape:
    """How one file is written: its format, its columns with their types (``""`` where no value tells one).

    ``named``: the columns have names of their own, not ``col0…``. ``parameters`` are the reader's, as in a table
    definition. ``format`` is ``empty`` or ``unreadable`` for a file that has no columns; ``fault`` then says why.
    ``tried`` is a fingerprint of the folder's headers that a file's first line was compared with and is none of.
    """

    format: str
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    named: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    tried: str = ""

    @property
    def readable(self) -> bool:
        """Whether the file has columns."""
        return self.format not in (EMPTY, UNREADABLE)


def look_at(lake: Lake, ref: FileRef, classifier: Classifier = NOTHING) -> FileShape:
    """Find out how a file is written from a part of it; a file that cannot be read says so in ``fault``."""
    form = classifier.format or form_of(ref.key)
    try:
        if form not in TEXT_FORMS:
            names, types = named_columns(lake, ref, form)
            found = FileShape(form, tuple(column_names(names)), types, parameters={"compression": compression(ref)})
            return found if names else FileShape(EMPTY, fault="it is empty")
        shape = shape_of(lake, ref, classifier.known)
    except (InputError, MissingExtraError, NotFoundError) as error:
        return FileShape(UNREADABLE, fault=str(error))
    if not shape.columns:
        return FileShape(EMPTY, fault="it is empty")
    if classifier.columns and len(classifier.columns) != len(shape.columns):
        fault = f"it has {len(shape.columns)} columns, and the setting crawler.tables names {len(classifier.columns)}"
        return FileShape(UNREADABLE, fault=fault)
    return FileShape(
        form,
        tuple(column_names(classifier.columns or shape.columns)),
        shape.types,
        shape.header or bool(classifier.columns),
        {
            "delimiter": shape.delimiter,
            "quote": shape.quote,
            "skip.header.line.count": "1" if shape.header else "0",
            "encoding": shape.encoding,
            "compression": compression(ref),
            **({HEADER_NAMES: IGNORED} if classifier.columns and shape.header else {}),
        },
    )


def look_for_header(
    lake: Lake, ref: FileRef, shape: FileShape, headers: "Headers", classifier: Classifier
) -> FileShape:
    """Return a headerless text file's shape with its first line as the header, where that is one of ``headers``."""
    headed = look_at(lake, ref, replace(classifier, header=True))
    return headed if headed.columns in headers.columns else replace(shape, tried=headers.mark)


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of a folder's text files: the columns of each, and a fingerprint of them all."""

    columns: frozenset[tuple[str, ...]]

    @property
    def mark(self) -> str:
        """A short text that is another one when there are other headers."""
        return hashlib.sha256(json.dumps(sorted(self.columns)).encode()).hexdigest()[:16]


class Memory:
    """What earlier crawls found, by folder, key, size and time of change; lost without harm."""

    def __init__(self, state: State) -> None:
        self._state = state

    def recall(self, folder: str, classifier: Classifier) -> dict[str, tuple[int, str, FileShape]]:
        """Return (size, time of change, shape) of a folder's files by key, as the last crawl under these settings."""
        stored = json.loads(self._state.state(_STATE + folder) or "{}")
        if stored.get("version") != _VERSION or stored["classifier"] != classifier.fingerprint:
            return {}
        shapes = [_from_json(raw) for raw in stored["shapes"]]
        return {key: (size, at, shapes[number]) for key, (size, at, number) in stored["files"].items()}

    def remember(self, folder: str, classifier: Classifier, files: Mapping[str, tuple[int, str, FileShape]]) -> None:
        """Keep what was found; shapes that several files share are written once."""
        numbers: dict[str, int] = {}
        known: dict[int, int] = {}
        rows = {}
        for key, (size, at, shape) in files.items():
            if id(shape) not in known:
                known[id(shape)] = numbers.setdefault(json.dumps(asdict(shape), ensure_ascii=False), len(numbers))
            rows[key] = [size, at, known[id(shape)]]
        document = {
            "version": _VERSION,
            "classifier": classifier.fingerprint,
            "shapes": [json.loads(text) for text in numbers],
            "files": rows,
        }
        self._state.set_state(_STATE + folder, json.dumps(document, ensure_ascii=False))


def _from_json(raw: dict[str, Any]) -> FileShape:
    return FileShape(**{**raw, "columns": tuple(raw["columns"]), "types": tuple(raw["types"])})
