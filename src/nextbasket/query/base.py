"""The query engine's port: what runs a statement over planned files.

A query is SQL text in Athena's dialect (the portable subset), the same already parsed, or an Ibis expression over
unbound tables named ``ibis.table(schema, name=TABLE, database=DATABASE)``. Inputs are given as scans by
``database.table`` (``query.references`` says how else): an engine never looks a table up and never commits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.query.dialect import Statement

Query: TypeAlias = str | Statement | ir.Table
Inputs: TypeAlias = Mapping[str, Scan]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may use: ``seconds`` of wall time, ``memory_bytes``, ``scan_bytes`` of files; None is no limit."""

    seconds: float | None = None
    memory_bytes: int | None = None
    scan_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do beyond plain SELECT."""

    name: str
    functions: bool
    cancel: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A vectorised function in Python: Arrow arrays in, one Arrow array out."""

    name: str
    parameters: tuple[pa.DataType, ...]
    returns: pa.DataType
    call: Any


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a finished query used: wall ``seconds``, ``rows`` returned, ``scanned_bytes`` of input files."""

    seconds: float
    rows: int
    scanned_bytes: int


class QueryState(StrEnum):
    """Athena's words for a query's state."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class QueryHandle(Protocol):
    """A started query."""

    @property
    def state(self) -> QueryState:
        """Where it stands."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The result's schema."""
        ...

    def cancel(self) -> None:
        """Stop it; batches() then raises QueryError."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result once, in order."""
        ...

    def statistics(self) -> Statistics:
        """Return what it has used so far."""
        ...


class QueryEngine(Protocol):
    """An engine. Adapters: ``duckdb`` (the default), ``spark`` (extra), ``athena`` comes with the AWS home."""

    def capabilities(self) -> Capabilities:
        """Say what this engine can do."""
        ...

    def describe(self, query: Query, inputs: Inputs) -> pa.Schema:
        """Return the result's schema without running the query; raises QueryError."""
        ...

    def start(
        self, query: Query, inputs: Inputs, parameters: Sequence[Any] = (), limits: Limits | None = None
    ) -> QueryHandle:
        """Start a SELECT; ``parameters`` bind the statement's ``?`` in order."""
        ...

    def explain(
        self,
        query: Query,
        inputs: Inputs,
        parameters: Sequence[Any] = (),
        *,
        analyze: bool = False,
        limits: Limits | None = None,
    ) -> str:
        """Return the engine's own plan of a SELECT as lines; with ``analyze`` it runs and the plan tells its cost."""
        ...

    def write(
        self,
        query: Query,
        inputs: Inputs,
        destination: str,
        schema: pa.Schema | None = None,
        *,
        parameters: Sequence[Any] = (),
        format: str = "parquet",
        partition_by: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> list[DataFile]:
        """Write the result as files into the empty folder ``destination`` and return them; never commits.

        ``schema`` gives the exact columns and types to write; field metadata ``PARQUET:field_id`` becomes the
        Parquet field id. Without it the result's own types are written.
        """
        ...

    def register(self, function: Function) -> None:
        """Make a Python function callable from queries under its name."""
        ...
