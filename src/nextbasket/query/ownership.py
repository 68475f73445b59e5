"""Whose a table is: a statement may change what people made, never what the pipeline writes itself.

A table belongs to the person when it lies in a database of theirs, or when a statement made it in the default database
beside the pipeline's own tables (it is marked so). The pipeline's other databases take no new tables at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nextbasket.catalog.base import TableDefinition
from nextbasket.errors import QueryError

CREATED_BY = "created_by"
"""The parameter that marks a table or view made by a statement; its value is the statement's kind."""

PIPELINE_DATABASES = frozenset({"landing", "quarantine", "shop", "features", "features_serving", "results"})
SYSTEM_DATABASE = "system"
"""What nextbasket knows of itself, as tables that nobody can change."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The pipeline's ``databases``, the one of them that takes people's tables too, and the ``names`` it writes."""

    databases: frozenset[str] = PIPELINE_DATABASES
    open_database: str = "shop"
    names: frozenset[str] = frozenset()

    def check_new(self, name: str) -> None:
        """Raise QueryError when a statement may not make the table ``database.table``."""
        database, _, table = name.partition(".")
        if not re.fullmatch(r"\w[\w-]*", database) or not re.fullmatch(r"\w[\w-]*", table):
            raise QueryError(f"{name} cannot name a table: use letters, digits and _.")
        if database == SYSTEM_DATABASE:
            raise QueryError(
                f"the database {database} is made by nextbasket itself: name another, such as mine.{table}."
            )
        if database in self.databases and database != self.open_database:
            raise QueryError(
                f"the database {database} belongs to the pipeline: make the table in one of your own, such as "
                f"mine.{table}."
            )
        if name in self.names:
            raise QueryError(
                f"{name} is a table that the pipeline writes itself: choose another name, or a database of your own, "
                f"such as mine.{table}."
            )

    def check_change(self, definition: TableDefinition, parameters: Mapping[str, str], verb: str) -> None:
        """Raise QueryError when a statement may not change or drop the table."""
        if definition.database not in self.databases:
            return
        if CREATED_BY in parameters and definition.full_name not in self.names:
            return
        instead = (
            f"work on a copy of your own, made with CREATE TABLE mine.{definition.name} WITH (table_type = 'ICEBERG') "
            "AS SELECT"
        )
        if verb == "DROP":
            instead = "'nextbasket load' and 'nextbasket crawl' keep it; only tables that you made can be dropped"
        raise QueryError(f"{definition.full_name} belongs to the pipeline and {verb} may not touch it: {instead}.")
