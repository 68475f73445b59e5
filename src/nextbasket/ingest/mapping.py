"""A shop's own files mapped into the layout by SQL: ``definitions/mappings/<table>.sql``.

A mapping is one SELECT in Athena's dialect over ``landing.*`` that returns columns of the layout's table. The one for
``order_products`` accounts for lines: it returns exactly one row for each row of its source, with a
``dropped_reason`` where the line is left out, and may return ``"$path"`` to say from which file a row came.
"""

import hashlib
import json
from collections.abc import Mapping as Values
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.errors import InputError
from nextbasket.grocery.tables import LAYOUT, LayoutTable
from nextbasket.ingest.checks import DROPPED_REASON, PATH
from nextbasket.ingest.crawl import DATABASE as LANDING
from nextbasket.lake.base import FileRef
from nextbasket.query import dialect

SUMMARY = "nextbasket.mapping"
"""The key of a snapshot's summary that says from which mapping and files it was made."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A landed file that a mapping reads, with its content's hash."""

    ref: FileRef
    sha256: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping: its statement, the landing tables it reads, and their files."""

    table: LayoutTable
    sql: str
    sources: tuple[str, ...]
    files: tuple[SourceFile, ...]

    @property
    def fingerprint(self) -> str:
        """What the mapping's result depends on, as one text."""
        content = [self.sql, [[file.ref.key, file.sha256] for file in self.files]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def statement(self) -> str:
        """The statement to run: a column ``"$path"`` of its result has a name that a stored file may have."""
        tree = dialect.parse(self.sql)
        for projection in list(tree.selects) if isinstance(tree, exp.Query) else []:
            if projection.alias_or_name == dialect.PATH_COLUMN:
                projection.replace(exp.alias_(projection.unalias().copy(), PATH))
        return tree.sql(dialect="athena")

    @property
    def where(self) -> str:
        """The mapping as people know it."""
        return f"definitions/mappings/{self.table.name}.sql"

    def faults(self, columns: Sequence[str]) -> list[str]:
        """Return what is wrong with the columns that the statement returns, one sentence each."""
        found = {name.lower() for name in columns}
        return [
            f"{self.where} returns no column '{name}': name it in the SELECT"
            for name in self.table.required_columns
            if name not in found
        ]

    def notes(self, columns: Sequence[str]) -> list[str]:
        """Return what people should know about the columns that the statement returns."""
        found = {name.lower() for name in columns}
        known = {column.name for column in self.table.columns} | {DROPPED_REASON, "$path"}
        notes = [
            f"{self.where} returns no column '{column.name}': what depends on it is left out"
            for column in self.table.columns
            if column.optional and column.name not in found and column.name != "eval_set"
        ]
        others = sorted(found - known)
        if others:
            notes.append(f"{self.where}: the columns {', '.join(others)} are not part of the layout and are ignored")
        return notes


def mapping_texts(definitions: Definitions) -> dict[str, str]:
    """Return the statements of the layout's mapped tables by table; raises InputError for a mapping of no table."""
    names = definitions.names(DefinitionKind.MAPPINGS)
    unknown = [name for name in names if name not in LAYOUT]
    if unknown:
        raise InputError(
            f"definitions/mappings/{unknown[0]}.sql maps no table of the layout; its tables are {', '.join(LAYOUT)}."
        )
    return {name: definitions.text(DefinitionKind.MAPPINGS, name) for name in names}


def mapping_of(
    table: LayoutTable, sql: str, inputs: Sequence[str], files: Values[str, Sequence[SourceFile]]
) -> Mapping:
    """Return a mapping whose statement reads the tables ``inputs``; raises InputError when one is not in landing."""
    sources = []
    for name in inputs:
        database, _, source = name.lower().rpartition(".")
        if database != LANDING:
            raise InputError(
                f"definitions/mappings/{table.name}.sql reads {name}; a mapping reads tables of landing only."
            )
        sources.append(source)
    read = tuple(file for source in sources for file in files.get(source, ()))
    return Mapping(table, sql.strip().rstrip(";"), tuple(sources), read)
