"""What a group of files makes of its table: columns and types, how the table is written, and which files differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nextbasket.catalog.base import FORMS, Column, FileForm, TableDefinition
from nextbasket.catalog.in_place import Forms, runs_of
from nextbasket.ingest.grouping import CrawledFile, Group
from nextbasket.ingest.naming_groups import NamedGroup
from nextbasket.ingest.typed_rows import HEADER_NAMES, TEXT_FORMS

_SAID = ("delimiter", "quote", "encoding", "compression")
_READERS = (*_SAID, "skip.header.line.count", HEADER_NAMES)


def table_columns(
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
        many = f"{count} files without a header, such as" if count > 1 else "the file without a header"
        notes.append(f"{many} {next(iter(group.renamed))}: read by position, as the other files' columns")
    comments = {column.name: column.comment for column in stored.columns} if stored is not None else {}
    ordered = [*(name for name in comments if name in types), *(name for name in types if name not in comments)]
    columns = tuple(
        Column(name, overrides.get(name, types[name]), comments.get(name, "")) for name in ordered if name not in keys
    )
    if not columns:
        # Every column is a folder's, too: a table needs one of its own.
        columns = tuple(Column(f"{name}_in_file", types[name]) for name in ordered)
    return columns, notes


def own_form(group: Group, stored: TableDefinition | None) -> tuple[str, dict[str, str]]:
    """Return the format and the reader's parameters of the table: the stored ones while files have them."""
    counts = Counter((file.shape.format, tuple(file.shape.parameters.items())) for file in group.files)
    if stored is not None:
        for format_, parameters in counts:
            if format_ == stored.format and dict(parameters).items() <= stored.parameters.items():
                return format_, dict(parameters)
    (format_, parameters), _ = max(counts.items(), key=lambda item: item[1])
    return format_, dict(parameters)


def unlike(group: Group, definition: TableDefinition) -> list[str]:
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


def with_forms(
    definition: TableDefinition, one: NamedGroup, all_: Sequence[NamedGroup], unread: Sequence[str]
) -> TableDefinition:
    """Return a definition with what it says about files that are not written as the table is, or are not its own.

    ``one`` is the table's group and ``all_`` are those of its folder; ``unread`` are keys of files of no table.
    """
    own_columns = tuple(column.name for column in definition.columns)
    own = {name: definition.parameters[name] for name in _READERS if name in definition.parameters}
    texts = {column.name for column in definition.columns if column.type == "string"}
    made: dict[tuple[object, ...], FileForm | None] = {}
    written: dict[str, FileForm | None] = {}
    for file in one.group.files:
        columns, shape = one.group.columns_of(file), file.shape
        key = (shape.format, columns, id(shape))
        if key not in made:
            by_name = shape.format not in TEXT_FORMS
            parameters = {**shape.parameters, **(_typed_otherwise(file, texts) if by_name else {})}
            same = shape.format == definition.format and parameters == own and (by_name or columns == own_columns)
            made[key] = None if same else FileForm(shape.format, columns, parameters)
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


def _typed_otherwise(file: CrawledFile, texts: set[str]) -> dict[str, str]:
    """Return, as a parameter, the types of columns that are text in the table and something else in this file.

    An engine that reads files of several types at once takes TRUE for 1 before it makes a text of it; as a form of
    their own they are read apart.
    """
    pairs = zip(file.shape.columns, file.shape.types, strict=True)
    others = [f"{name} {kind}" for name, kind in pairs if name in texts and kind not in ("string", "")]
    return {"types": ", ".join(others)} if others else {}
