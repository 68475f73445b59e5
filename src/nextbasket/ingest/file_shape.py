"""What one landed file says about the table it belongs to, remembered so that it is looked at once."""

import json
from collections.abc import Mapping
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
_VERSION = 2


@dataclass(frozen=True, slots=True)
class FileShape:
    """How one file is written: its format, its columns with their types (``""`` where no value tells one).

    ``named``: the columns have names of their own, not ``col0…``. ``parameters`` are the reader's, as in a table
    definition. ``format`` is ``empty`` or ``unreadable`` for a file that has no columns; ``fault`` then says why.
    ``headed`` is what a text file without a header would be if its first line were one: its neighbours may show that.
    """

    format: str
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    named: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    headed: "FileShape | None" = None

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
    return found if headed is None else replace(found, headed=_text(form, headed, ref, classifier))


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
    headed = raw["headed"]
    return FileShape(
        **{
            **raw,
            "columns": tuple(raw["columns"]),
            "types": tuple(raw["types"]),
            "headed": None if headed is None else _from_json(headed),
        }
    )
