"""The kinds of statements there are, each with what was read of it."""

from dataclasses import dataclass
from typing import TypeAlias

from nextbasket.query import dialect


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Explain:
    """``EXPLAIN [ANALYZE] SELECT …``; with ``analyze`` the statement runs and its plan tells what it took."""

    select: str
    analyze: bool = False


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """``CREATE TABLE name WITH (…) AS SELECT …``; ``select`` keeps every character at its place in the whole text.

    ``format`` is ``parquet``, ``csv`` or ``json``; with ``iceberg`` the table is an Iceberg table.
    """

    table: dialect.TableName
    select: str
    external_location: str | None = None
    partitioned_by: tuple[str, ...] = ()
    if_not_exists: bool = False
    with_data: bool = True
    format: str = "parquet"
    iceberg: bool = False


@dataclass(frozen=True, slots=True)
class CreateView:
    """``CREATE [OR REPLACE] VIEW name AS SELECT …``; ``body`` is the SELECT alone, ``select`` the same at its place."""

    table: dialect.TableName
    select: str
    body: str
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """``DROP TABLE`` or ``DROP VIEW``, with ``IF EXISTS``."""

    table: dialect.TableName
    view: bool = False
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """``INSERT INTO name [(columns)] SELECT …`` or ``VALUES …``."""

    table: dialect.TableName
    columns: tuple[str, ...] | None
    body: dialect.Statement


@dataclass(frozen=True, slots=True)
class Change:
    """``DELETE``, ``UPDATE`` or ``MERGE``: the target, and the statement with sqlglot's tree of it."""

    table: dialect.TableName
    statement: dialect.Statement


@dataclass(frozen=True, slots=True)
class ShowTables:
    """``SHOW TABLES [IN database] ['pattern']``, or ``SHOW VIEWS`` in the same form."""

    database: str | None = None
    pattern: str | None = None
    views: bool = False


@dataclass(frozen=True, slots=True)
class ShowDatabases:
    """``SHOW DATABASES`` (or ``SCHEMAS``) ``[LIKE 'pattern']``."""

    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class ShowTable:
    """A question about one table, which ``what`` names.

    It is ``columns``, ``partitions``, ``create table``, ``create view`` or ``tblproperties`` (of which ``property``
    may name one).
    """

    what: str
    table: dialect.TableName
    property: str | None = None


@dataclass(frozen=True, slots=True)
class Describe:
    """``DESCRIBE [FORMATTED | EXTENDED] table``."""

    table: dialect.TableName
    formatted: bool = False


Statement: TypeAlias = (
    Select
    | Explain
    | CreateTableAs
    | CreateView
    | Drop
    | Insert
    | Change
    | ShowTables
    | ShowDatabases
    | ShowTable
    | Describe
)
