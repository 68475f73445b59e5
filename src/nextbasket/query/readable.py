"""An engine that reads tables in place only after they were made readable: so all engines read the same rows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.errors import QueryError
from nextbasket.query.base import Capabilities, Function, Inputs, Limits, Query, QueryEngine, QueryHandle
from nextbasket.query.inputs import prepare
from nextbasket.query.references import ViewScan


class ReadableFiles(Protocol):
    """Makes tables in place readable; the adapter is ``ingest.readable``."""

    def applies(self, scan: Scan) -> bool:
        """Say whether the scan is of a table whose files may have to be read by someone else than an engine."""
        ...

    def scan(self, scan: Scan, checkpoint: Callable[[], None]) -> Scan:
        """Return the scan with files that every engine reads alike; raises InputError for what cannot be read.

        ``checkpoint`` is called again and again and raises when it is time to stop.
        """
        ...


class ReadableEngine:
    """Any engine, with the files of each input made readable first."""

    def __init__(self, engine: QueryEngine, files: ReadableFiles) -> None:
        self._engine = engine
        self._files = files
        self._functions: set[str] = set()

    def capabilities(self) -> Capabilities:
        """Say what the engine can do."""
        return self._engine.capabilities()

    def register(self, function: Function) -> None:
        """Make a Python function callable."""
        self._engine.register(function)
        self._functions.add(function.name)

    def describe(self, query: Query, inputs: Inputs) -> pa.Schema:
        """Return the result's schema; no file is read for it."""
        return self._engine.describe(query, self._each(inputs, _without_files))

    def start(
        self, query: Query, inputs: Inputs, parameters: Sequence[Any] = (), limits: Limits | None = None
    ) -> QueryHandle:
        """Start a SELECT."""
        inputs, limits = self._readable(query, inputs, parameters, limits)
        return self._engine.start(query, inputs, parameters, limits)

    def explain(
        self,
        query: Query,
        inputs: Inputs,
        parameters: Sequence[Any] = (),
        *,
        analyze: bool = False,
        limits: Limits | None = None,
    ) -> str:
        """Return the engine's plan."""
        inputs, limits = self._readable(query, inputs, parameters, limits)
        return self._engine.explain(query, inputs, parameters, analyze=analyze, limits=limits)

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
        """Write the result as files."""
        inputs, limits = self._readable(query, inputs, parameters, limits)
        return self._engine.write(
            query,
            inputs,
            destination,
            schema,
            parameters=parameters,
            format=format,
            partition_by=partition_by,
            limits=limits,
        )

    def _readable(
        self, query: Query, inputs: Inputs, parameters: Sequence[Any], limits: Limits | None
    ) -> tuple[Inputs, Limits | None]:
        """Return readable inputs, and the limits with the time that is left for the engine."""
        if any(scan.partitions for scan in inputs.values()):
            # Files that a filter on partition keys leaves out need not be made readable.
            needed = prepare(query, inputs, parameters, self._functions).scans
            inputs = {key: needed.get(key, scan) for key, scan in inputs.items()}
        began = time.monotonic()
        allowed = limits.seconds if limits is not None else None

        def checkpoint() -> None:
            if allowed is not None and time.monotonic() - began > allowed:
                raise QueryError(f"the query ran longer than its limit of {allowed:g} seconds and was stopped.")

        readable = self._each(inputs, lambda scan: self._files.scan(scan, checkpoint))
        spent = int(time.monotonic() - began)
        if limits is None or allowed is None or not spent:
            return readable, limits
        return readable, replace(limits, seconds=max(allowed - spent, 1))

    def _each(self, inputs: Inputs, change: Callable[[Scan], Scan]) -> Inputs:
        found: dict[str, Scan] = {}
        for key, scan in inputs.items():
            if isinstance(scan, ViewScan):
                found[key] = replace(scan, inputs=self._each(scan.inputs, change))
            else:
                found[key] = change(scan) if self._files.applies(scan) else scan
        return found


def _without_files(scan: Scan) -> Scan:
    return replace(scan, files=(), forms={}, partitions={})
