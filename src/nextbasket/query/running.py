"""A started query, whichever engine runs it: its state, its one reading, its stop."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pyarrow as pa

from nextbasket.errors import QueryError
from nextbasket.query.base import Limits, QueryState, Statistics
from nextbasket.query.inputs import Prepared


class Session(Protocol):
    """What an engine holds for one query; ``stopped`` says why it was stopped, None where it was not."""

    prepared: Prepared
    schema: pa.Schema
    stopped: str | None

    def stream(self) -> Iterator[pa.RecordBatch]:
        """Yield the result's batches; raises QueryError."""
        ...

    def stop(self, reason: str) -> None:
        """Interrupt what runs; it then fails with ``reason``."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class RunningQuery:
    """A SELECT that an engine's session runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state = QueryState.RUNNING
        self._rows = 0
        self._began = time.monotonic()
        self._ended: float | None = None
        self._lock = threading.Lock()
        self._read = False
        self._cancelled = False

    @property
    def state(self) -> QueryState:
        """RUNNING until the last batch was read, it failed, or it was cancelled."""
        return self._state

    @property
    def schema(self) -> pa.Schema:
        """The result's schema."""
        return self._session.schema

    def cancel(self) -> None:
        """Stop it, from any thread; a finished query stays finished."""
        with self._lock:
            if self._state is not QueryState.RUNNING:
                return
            self._cancelled = True
            self._session.stop("the query was cancelled.")
            if not self._read:
                self._finish(QueryState.CANCELLED)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result once; raises QueryError when it fails, is cancelled or passes its limit."""
        with self._lock:
            if self._read:
                raise QueryError("a query's result can be read once: start it again.")
            self._read = True
            if self._session.stopped:
                raise QueryError(self._session.stopped)
        done = False
        try:
            for batch in self._session.stream():
                self._rows += batch.num_rows
                yield batch
            done = True
        finally:
            if done:
                self._finish(QueryState.SUCCEEDED)
            else:
                self._finish(QueryState.CANCELLED if self._cancelled else QueryState.FAILED)

    def statistics(self) -> Statistics:
        """Return what it has used so far; ``scanned_bytes`` counts the whole input files."""
        seconds = (self._ended if self._ended is not None else time.monotonic()) - self._began
        return Statistics(seconds, self._rows, self._session.prepared.bytes)

    def _finish(self, state: QueryState) -> None:
        self._state = state
        self._ended = time.monotonic()
        self._session.close()


def stop_after(limits: Limits, stop: Callable[[str], None]) -> threading.Timer | None:
    """Call ``stop`` with its reason when the seconds allowed are over; returns the clock, to be cancelled before."""
    if limits.seconds is None:
        return None
    reason = f"the query ran longer than its limit of {limits.seconds:g} seconds and was stopped."
    timer = threading.Timer(limits.seconds, stop, (reason,))
    timer.daemon = True
    timer.start()
    return timer
