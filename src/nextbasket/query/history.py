"""The history of a home's statements: text, state, times, rows and bytes, kept in the catalog's SQLite file."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from nextbasket.catalog.database import CatalogDatabase, has_table
from nextbasket.errors import HomeError, NextbasketError
from nextbasket.query.base import QueryHandle, QueryState, Statistics

_SCHEMA = """
CREATE TABLE IF NOT EXISTS query_history (
    query_id TEXT PRIMARY KEY,
    statement TEXT NOT NULL,
    engine TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted_at TEXT NOT NULL,
    seconds REAL,
    rows INTEGER,
    scanned_bytes INTEGER,
    error TEXT,
    result TEXT,
    process INTEGER NOT NULL
)
"""
_COLUMNS = "query_id, statement, engine, state, submitted_at, seconds, rows, scanned_bytes, error, result, process"
TRIMMED_EVERY = 100
"""After so many statements those beyond the newest are deleted."""
ENDED_EARLY = "the process ended before the statement did."


@dataclass(frozen=True, slots=True)
class PastQuery:
    """One statement that was run, or is running; ``result`` is where its saved rows are."""

    query_id: str
    statement: str
    engine: str
    state: QueryState
    submitted_at: datetime
    seconds: float | None
    rows: int | None
    scanned_bytes: int | None
    error: str | None
    result: str | None


class QueryHistory:
    """The newest ``keep`` statements of one home; one that cannot be written keeps no history and stops nobody."""

    def __init__(self, database: CatalogDatabase, clock: Callable[[], datetime], keep: int = 10_000) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep

    def begin(self, query_id: str, statement: str, engine: str) -> None:
        """Note that a statement was submitted."""
        row = (query_id, statement, engine, QueryState.RUNNING.value, self._clock().isoformat(), os.getpid())
        with suppress(HomeError):
            if not self._database.exists():
                return
            with self._database.writing() as connection:
                if not has_table(connection, "query_history"):
                    connection.execute(_SCHEMA)
                added = connection.execute(
                    "INSERT INTO query_history (query_id, statement, engine, state, submitted_at, process) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )
                if (added.lastrowid or 0) % TRIMMED_EVERY == 0:
                    connection.execute(
                        "DELETE FROM query_history WHERE rowid <= "
                        "(SELECT rowid FROM query_history ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
                        (self._keep,),
                    )

    def end(self, query_id: str, state: QueryState, statistics: Statistics | None, error: str | None) -> None:
        """Note how a statement ended and what it took."""
        used: tuple[float | None, int | None, int | None] = (None, None, None)
        if statistics is not None:
            used = (statistics.seconds, statistics.rows, statistics.scanned_bytes)
        self._update(
            "state = ?, seconds = ?, rows = ?, scanned_bytes = ?, error = ?", (state.value, *used, error), query_id
        )

    def saved(self, query_id: str, result: str) -> None:
        """Note where a statement's rows were saved."""
        self._update("result = ?", (result,), query_id)

    def _update(self, change: str, values: tuple[object, ...], query_id: str) -> None:
        with suppress(HomeError):
            if not self._database.exists():
                return
            with self._database.writing() as connection:
                if has_table(connection, "query_history"):
                    connection.execute(
                        f"UPDATE query_history SET {change} WHERE query_id = ?",  # noqa: S608 (one of the texts above)
                        (*values, query_id),
                    )

    def newest(self, limit: int | None = None) -> list[PastQuery]:
        """Return the newest statements first; one whose process is gone has failed."""
        if not self._database.exists():
            return []
        with self._database.reading() as connection:
            if not has_table(connection, "query_history"):
                return []
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM query_history ORDER BY rowid DESC LIMIT ?",  # noqa: S608 (a constant)
                (self._keep if limit is None else min(limit, self._keep),),
            ).fetchall()
        return [_past(row) for row in rows]


def _past(
    row: tuple[str, str, str, str, str, float | None, int | None, int | None, str | None, str | None, int],
) -> PastQuery:
    state, error = QueryState(row[3]), row[8]
    if state is QueryState.RUNNING and not _alive(row[10]):
        state, error = QueryState.FAILED, ENDED_EARLY
    return PastQuery(
        row[0], row[1], row[2], state, datetime.fromisoformat(row[4]), row[5], row[6], row[7], error, row[9]
    )


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class RecordedHandle:
    """A started query whose end is noted in the history."""

    def __init__(self, handle: QueryHandle, query_id: str, history: QueryHistory | None) -> None:
        self._handle = handle
        self._history = history
        self.query_id = query_id

    @property
    def state(self) -> QueryState:
        """Where it stands."""
        return self._handle.state

    @property
    def schema(self) -> pa.Schema:
        """The result's schema."""
        return self._handle.schema

    def cancel(self) -> None:
        """Stop it; batches() then raises QueryError."""
        self._handle.cancel()
        self._note(None)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result once, in order."""
        try:
            yield from self._handle.batches()
        except NextbasketError as error:
            self._note(str(error))
            raise
        except GeneratorExit:
            self._note("the reader left before the end.")
            raise
        self._note(None)

    def statistics(self) -> Statistics:
        """Return what it has used so far."""
        return self._handle.statistics()

    def _note(self, error: str | None) -> None:
        if self._history is not None:
            self._history.end(self.query_id, self._handle.state, self._handle.statistics(), error)
