"""A shop home in Python: tables and queries as Arrow, pandas or Polars, for reading only.

pandas and Polars are no part of the core install; they are imported when they are asked for.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from nextbasket.app.shop import Shop, open_shop
from nextbasket.catalog.base import Snapshot
from nextbasket.errors import MissingExtraError, UsageError
from nextbasket.query import statements
from nextbasket.query.base import QueryHandle
from nextbasket.query.kinds import Select
from nextbasket.recipes.run import table_expression

if TYPE_CHECKING:
    import pandas
    import polars

_CAPITAL = re.compile("^u?i")  # Arrow's int64 and uint8 are Int64 and UInt8 where pandas allows gaps


def open_home(home: str | os.PathLike[str] | None = None) -> "OpenHome":
    """Open a shop home; without one it is ``NEXTBASKET_HOME``, else ``./shop``. Raises HomeError."""
    chosen = home if home is not None else os.environ.get("NEXTBASKET_HOME", "shop")
    return OpenHome(open_shop(Path(chosen).absolute()))


class OpenHome:
    """One home's tables and queries. Nothing is read before the rows are asked for, and nothing is ever written."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shop.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"nextbasket.open({str(self._shop.home)!r})"

    def tables(self, database: str | None = None) -> list[str]:
        """Return the names of all tables, ``database.table``, or of one database's, in order."""
        return [definition.full_name for definition in self._shop.catalog.tables(database)]

    def snapshots(self, table: str) -> list[Snapshot]:
        """Return a table's versions, oldest first; a table without a database is one of ``shop``."""
        return self._shop.catalog.snapshots(_full_name(table))

    def table(self, name: str, *, snapshot: int | None = None, at: datetime | str | None = None) -> "Rows":
        """Return a table's rows: now, at one of its snapshots, or as they were at a time.

        ``at`` is a datetime or ISO text; without a zone it is UTC. Raises NotFoundError for an unknown table and for
        a version that is not there (any more).
        """
        if snapshot is not None and at is not None:
            raise UsageError("a table is read at a snapshot or at a time; give one of the two.")
        full_name = _full_name(name)
        scan = self._shop.catalog.scan(full_name, snapshot_id=snapshot, at=_time(at))
        expression = table_expression(full_name, scan.schema)
        return Rows(lambda: self._shop.workgroup.start(expression, overrides={full_name: scan}))

    def query(
        self, sql: str, parameters: Sequence[Any] = (), *, database: str = "shop", engine: str = "duckdb"
    ) -> "Rows":
        """Return the rows of a SELECT in Athena's SQL, of ``@FILE``, or of the named query ``@NAME``.

        ``parameters`` bind its ``?`` in order; ``database`` is that of tables named without one. Raises UsageError
        for a statement that is no SELECT: this interface writes nothing.
        """
        text = self._shop.statement(sql)
        if not isinstance(statements.read(text), Select):
            raise UsageError("from Python a home is only read; run other statements with 'nextbasket query'.")
        workgroup = self._shop.workgroup_on(engine)
        return Rows(lambda: workgroup.start(text, parameters=parameters, database=database))


class Rows:
    """The rows of a table or query; each of its methods reads them anew.

    It speaks the Arrow C stream protocol, so ``polars.DataFrame(rows)``, DuckDB and others take it as it is.
    """

    def __init__(self, start: Callable[[], QueryHandle]) -> None:
        self._start = start

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows batch by batch: memory stays flat however many there are."""
        yield from self._start().batches()

    def reader(self) -> pa.RecordBatchReader:
        """Return a reader over the batches, with their schema."""
        handle = self._start()
        return pa.RecordBatchReader.from_batches(handle.schema, handle.batches())

    def arrow(self) -> pa.Table:
        """Return all rows as an Arrow table."""
        return self.reader().read_all()

    def pandas(self) -> "pandas.DataFrame":
        """Return all rows as a pandas DataFrame; whole numbers with gaps stay whole (``Int64``). Needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("pandas()", "pandas") from error
        table = self.arrow()
        # pandas' own way would make them floats, and ids beyond 2**53 would then change.
        gaps = {
            field.type
            for field, column in zip(table.schema, table.columns, strict=True)
            if pa.types.is_integer(field.type) and column.null_count
        }
        names = {kind: _CAPITAL.sub(lambda letters: letters.group().upper(), str(kind)) for kind in gaps}
        kinds = {kind: pandas.api.types.pandas_dtype(name) for kind, name in names.items()}
        mapper: Any = kinds.get
        return table.to_pandas(types_mapper=mapper)

    def polars(self) -> "polars.DataFrame":
        """Return all rows as a Polars DataFrame. Needs Polars."""
        try:
            import polars
        except ImportError as error:
            raise MissingExtraError("polars()", "polars") from error
        return polars.DataFrame(self.arrow())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the rows to another library as an Arrow C stream."""
        stream: Any = self.reader()
        capsule: object = stream.__arrow_c_stream__(requested_schema)
        return capsule


def _full_name(table: str) -> str:
    return table if "." in table else f"shop.{table}"


def _time(at: datetime | str | None) -> datetime | None:
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError as error:
        raise UsageError(f"{at!r} is no time; write it as 2026-11-22T12:00:00.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
