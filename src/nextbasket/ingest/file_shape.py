"""What one landed file says about the table it belongs to, remembered so that it is looked at once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nextbasket.errors import InputError, MissingExtraError, NotFoundError
from nextbasket.ingest.classifiers import NOTHING, Classifier
from nextbasket.ingest.content import State
from nextbasket.ingest.landed import compression, form_of, shape_of
from nextbasket.ingest.sniff import TextShape, column_names
from nextbasket.ingest.typed_rows import HEADER_NAMES, IGNORED, TEXT_FORMS, named_columns
from nextbasket.lake.base import FileRef, Lake

EMPTY, UNREADABLE = "empty", "unreadable"
_STATE = "crawl.files."
_VERSION = 3


@dataclass(frozen=True, slots=True)
class FileShape:
    """How one file is written: its format, its columns with their types (``""`` where no value tells one).

    ``named``: the columns have names of their own, not ``col0…``. ``parameters`` are the reader's, as in a table
    definition. ``format`` is ``empty`` or ``unreadable`` for a file that has no columns; ``fault`` then says why.
    ``first_line`` is a fingerprint of a headerless text file's first line, and ``headed_types`` are the types without
    it: the folder's other files may show that it is a header.
    """

    format: str
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    named: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    first_line: str = ""
    headed_types: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether the file has columns."""
        return self.format not in (EMPTY, UNREADABLE)

    def headed(self, columns: tuple[str, ...]) -> "FileShape":
        """Return the shape of a headerless text file whose first line names these columns after all."""
        return replace(
            self,
            columns=columns,
            types=self.headed_types,
            named=True,
            parameters={**self.parameters, "skip.header.line.count": "1"},
        )


def line_fingerprint(columns: Sequence[str]) -> str:
    """Return a short text that two lines share when they name the same columns; what they say is not kept."""
    return hashlib.sha256("\x1f".join(columns).encode()).hexdigest()[:16]


def look_at(lake: Lake, ref: FileRef, classifier: Classifier = NOTHING) -> FileShape:
    """Find out how a file is written from a part of it; a file that cannot be read says so in ``fault``."""
    form = classifier.format or form_of(ref.key)
    try:
        if form not in TEXT_FORMS:
            names, types = named_columns(lake, ref, form)
            found = FileShape(form, tuple(column_names(names)), types, parameters={"compression": compression(ref)})
            return found if names else FileShape(EMPTY, fault="it is empty")
        shape = shape_of(lake, ref, classifier.known)
        open_question = bool(shape.columns) and not shape.header and classifier.header is None
        headed = shape_of(lake, ref, replace(classifier.known, header=True)) if open_question else None
    except (InputError, MissingExtraError, NotFoundError) as error:
        return FileShape(UNREADABLE, fault=str(error))
    if not shape.columns:
        return FileShape(EMPTY, fault="it is empty")
    if classifier.columns and len(classifier.columns) != len(shape.columns):
        fault = f"it has {len(shape.columns)} columns, and the setting crawler.tables names {len(classifier.columns)}"
        return FileShape(UNREADABLE, fault=fault)
    found = _text(form, shape, ref, classifier)
    if headed is None:
        return found
    return replace(found, first_line=line_fingerprint(column_names(headed.columns)), headed_types=headed.types)


def _text(form: str, shape: TextShape, ref: FileRef, classifier: Classifier) -> FileShape:
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
    lists = {name: tuple(raw[name]) for name in ("columns", "types", "headed_types")}
    return FileShape(**{**raw, **lists})
