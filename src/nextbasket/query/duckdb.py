"""DuckDB as query engine: the default.

Each query has a DuckDB of its own in memory that sees nothing but the planned files: other files, extensions and
settings are locked before the statement runs. Queries may run in several threads at once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from nextbasket.catalog.base import DataFile
from nextbasket.errors import NextbasketError, QueryError
from nextbasket.query import duckdb_rules
from nextbasket.query.base import (
    Capabilities,
    Function,
    Inputs,
    Limits,
    Query,
)
from nextbasket.query.columns import same_columns
from nextbasket.query.duckdb_files import select_files
from nextbasket.query.duckdb_types import duckdb_type, literal, quoted
from nextbasket.query.inputs import Prepared, engine_path, is_s3, local_path, prepare
from nextbasket.query.running import RunningQuery, stop_after

if TYPE_CHECKING:
    from nextbasket.query.s3_files import S3Files

BATCH_ROWS = 65_536

# Row groups of this size keep memory flat while two threads write; measured in docs/sql.md.
ROW_GROUP_ROWS = 122_880
ZSTD_LEVEL = 1
DICTIONARY_VALUES = 4096
FILE_BYTES = 512 * 1024 * 1024

_LOCKED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}


class DuckDBEngine:
    """Runs queries in DuckDB.

    ``scratch`` is the folder larger-than-memory operators spill to; ``threads`` defaults to the machine's cores;
    ``memory_limit`` is DuckDB's text, for example ``3GB``, for each query; ``s3`` returns how S3 is reached, None where
    only files of this machine are.
    """

    def __init__(
        self,
        scratch: Path,
        threads: int | None = None,
        memory_limit: str = "3GB",
        s3: "Callable[[], S3Files] | None" = None,
    ) -> None:
        self._scratch = scratch
        self._s3 = s3
        self._threads = threads
        self._memory_limit = memory_limit
        self._functions: dict[str, Function] = {}

    def capabilities(self) -> Capabilities:
        """Say that Python functions and cancelling both work."""
        return Capabilities("duckdb", functions=True, cancel=True)

    def register(self, function: Function) -> None:
        """Make a vectorised Python function callable; a registered name is replaced."""
        self._functions[function.name.lower()] = function

    def describe(self, query: Query, inputs: Inputs) -> pa.Schema:
        """Return the result's schema; parameters stand as NULL."""
        prepared = prepare(query, inputs, None, self._functions)
        with self._session(prepared) as session:
            return session.schema

    def start(
        self, query: Query, inputs: Inputs, parameters: Sequence[Any] = (), limits: Limits | None = None
    ) -> RunningQuery:
        """Start a SELECT; rows are computed while ``batches`` is read, a few at a time."""
        limits = limits or Limits()
        prepared = prepare(query, inputs, parameters, self._functions)
        prepared.refuse_beyond(limits)
        return RunningQuery(_Session(self, prepared, limits))

    def explain(
        self,
        query: Query,
        inputs: Inputs,
        parameters: Sequence[Any] = (),
        *,
        analyze: bool = False,
        limits: Limits | None = None,
    ) -> str:
        """Return DuckDB's plan as lines; with ``analyze`` it runs and each operator tells its time and rows."""
        limits = limits or Limits()
        prepared = prepare(query, inputs, parameters, self._functions)
        prepared.refuse_beyond(limits)
        with self._session(prepared, limits) as session:
            return session.explain(analyze)

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
        """Write the result into an empty folder; an empty result writes no file.

        ``format`` is ``parquet``, ``csv`` (with header) or ``json`` (an object a line).
        """
        limits = limits or Limits()
        folder = self._fresh_folder(destination)
        prepared = prepare(query, inputs, parameters, self._functions)
        prepared.refuse_beyond(limits)
        with self._session(prepared, limits, folder) as session:
            return session.copy(folder, schema, format, tuple(partition_by))

    def _fresh_folder(self, destination: str) -> str:
        if self._s3 is not None and is_s3(destination):
            if self._s3().find(destination):
                raise QueryError(f"{destination} is not empty: a write needs a fresh folder.")
            return destination
        folder = local_path(destination)
        if folder.is_dir() and any(folder.iterdir()):
            raise QueryError(f"{folder} is not empty: a write needs a fresh folder.")
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    @contextmanager
    def _session(
        self, prepared: Prepared, limits: Limits | None = None, folder: str | None = None
    ) -> Iterator["_Session"]:
        session = _Session(self, prepared, limits or Limits(), folder)
        try:
            yield session
        finally:
            session.close()

    def s3(self) -> "S3Files | None":
        """Return how S3 is reached at this moment, None where it is not."""
        return self._s3() if self._s3 is not None else None

    def connect(self, limits: Limits) -> duckdb.DuckDBPyConnection:
        """Return a fresh DuckDB in memory with this engine's settings and functions, not yet locked."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = dict(_LOCKED, temp_directory=str(self._scratch), memory_limit=self._memory_limit)
        if limits.memory_bytes is not None:
            config["memory_limit"] = f"{limits.memory_bytes}B"
        if self._threads is not None:
            config["threads"] = self._threads
        connection = duckdb.connect(config=config)
        for function in self._functions.values():
            connection.create_function(
                function.name,
                function.call,
                [_function_type(kind) for kind in function.parameters],
                _function_type(function.returns),
                type=ARROW,
                null_handling=SPECIAL,
            )
        return connection


class _Session:
    """One query's own DuckDB: the planned files as views, everything else locked."""

    def __init__(self, engine: DuckDBEngine, prepared: Prepared, limits: Limits, folder: str | None = None) -> None:
        self.prepared = prepared
        self.stopped: str | None = None
        self._s3 = engine.s3()
        place = engine_path if self._s3 is not None else local_path
        self._paths = [str(place(file.uri)) for scan in prepared.scans.values() for file in scan.files]
        self._connection = engine.connect(limits)
        if self._s3 is not None:
            self._connection.register_filesystem(self._s3)
        self._timer = stop_after(limits, self.stop)
        try:
            with self._translated():
                self._define_inputs(prepared)
                self._lock_down(prepared, folder)
                self._sql = self._result_sql(prepared)
                self.schema = self._describe(self._sql)
        except BaseException:
            self.close()
            raise

    def _define_inputs(self, prepared: Prepared) -> None:
        for name in sorted({key.rpartition(".")[0] for key in prepared.scans} - {""}):
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")
        for key, scan in prepared.scans.items():
            database, _, table = key.rpartition(".")
            name = f"{quoted(database)}.{quoted(table)}" if database else quoted(table)
            files = select_files(scan, self._names_in, with_path=prepared.with_path)
            self._connection.execute(f"CREATE VIEW {name} AS {files}")

    def _names_in(self, call: str) -> list[str]:
        rows = self._connection.execute(f"DESCRIBE SELECT * FROM {call}").fetchall()  # noqa: S608 (quoted parts)
        return [str(row[0]) for row in rows]

    def _lock_down(self, prepared: Prepared, folder: str | None) -> None:
        files = [literal(path) for path in self._paths]
        run = self._connection.execute
        if folder is not None:
            files.append(literal(folder))
        run(f"SET allowed_paths = [{', '.join(sorted(set(files)))}]")
        if folder is not None:
            run(f"SET allowed_directories = [{literal(folder + '/')}]")
        if prepared.tree is not None:
            for macro in duckdb_rules.macros(prepared.tree):
                run(macro)
        run("SET enable_external_access = false")
        run("SET lock_configuration = true")

    def _result_sql(self, prepared: Prepared) -> str:
        if prepared.expression is not None:
            sql = str(ibis.to_sql(prepared.expression, dialect="duckdb"))
        else:
            assert prepared.tree is not None  # noqa: S101 (prepare gives one of the two)
            sql = duckdb_rules.to_duckdb(prepared.tree)
        relation = self._connection.sql(sql)
        kinds = [str(kind) for kind in relation.types]
        if not any(kind in _NARROWED for kind in kinds):
            return sql
        # DuckDB sums integers as HUGEINT where Athena has BIGINT; a sum beyond BIGINT is an error in both.
        inner = [f"c{index}" for index in range(len(kinds))]
        columns = ", ".join(
            f"{f'CAST({name} AS {_NARROWED[kind]})' if kind in _NARROWED else name} AS {quoted(column)}"
            for name, kind, column in zip(inner, kinds, relation.columns, strict=True)
        )
        return f"SELECT {columns} FROM ({sql}) AS result({', '.join(inner)})"  # noqa: S608 (built from quoted parts)

    def _describe(self, sql: str) -> pa.Schema:
        relation = self._connection.sql(sql)
        empty: pa.Table = self._connection.sql(f"SELECT * FROM ({sql}) LIMIT 0").to_arrow_table()  # noqa: S608 (own text)
        # Around a subquery DuckDB numbers columns that share a name; the statement's own names count.
        return pa.schema(
            [field.with_name(str(name)) for field, name in zip(empty.schema, relation.columns, strict=True)]
        )

    def stream(self) -> Iterator[pa.RecordBatch]:
        """Yield the result's batches."""
        with self._translated():
            for batch in self._connection.sql(self._sql).to_arrow_reader(BATCH_ROWS):
                self._go_on()
                # Columns that share a name are numbered by DuckDB; the schema keeps what the statement says.
                yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)

    def explain(self, analyze: bool) -> str:
        """Return the plan's text."""
        with self._translated():
            kind = duckdb.ExplainType.ANALYZE if analyze else duckdb.ExplainType.STANDARD
            return str(self._connection.sql(self._sql).explain(kind))

    def copy(self, folder: str, schema: pa.Schema | None, format: str, partition_by: tuple[str, ...]) -> list[DataFile]:
        """Write the result's files; returns those that hold rows."""
        target = schema if schema is not None else self.schema
        columns = same_columns(self.schema, target)
        inner = [f"c{index}" for index in range(len(self.schema))]
        selected = ", ".join(
            f"CAST({inner[position]} AS {duckdb_type(field.type)}) AS {quoted(field.name)}"
            for field, position in zip(target, columns, strict=True)
        )
        in_order = self.prepared.ordered
        options = _copy_options(target, format, partition_by, in_order)
        wanted = f"SELECT {selected} FROM ({self._sql}) AS result({', '.join(inner)})"  # noqa: S608 (quoted above)
        goal = folder if "PARTITION_BY" in options or "FILE_SIZE" in options else f"{folder}/data_0.{format}"
        # Only Parquet files report what they hold; text formats are written as one file with one count.
        tell = "RETURN_STATS true" if format == "parquet" else "RETURN_FILES true"
        with self._translated():
            rows = self._connection.execute(f"COPY ({wanted}) TO {literal(goal)} ({options}, {tell})").fetchall()
        files = []
        if format != "parquet":
            count, written = rows[0]
            rows = [(name, count, self._size(name)) for name in written]
        for name, count, size, *_ in rows:
            if count:
                files.append(DataFile(str(name), int(count), int(size)))
            else:
                self._remove(name)
        return sorted(files, key=lambda file: file.uri)

    def _size(self, name: str) -> int:
        if self._s3 is not None and is_s3(name):
            return self._s3.size_of(name)
        return Path(name).stat().st_size

    def _remove(self, name: str) -> None:
        if self._s3 is not None and is_s3(name):
            self._s3.rm_file(name)
        else:
            Path(name).unlink(missing_ok=True)

    def stop(self, reason: str) -> None:
        """Interrupt what runs; it then fails with ``reason``."""
        self.stopped = self.stopped or reason
        self._connection.interrupt()

    def close(self) -> None:
        """Free the memory and the scratch files."""
        if self._timer is not None:
            self._timer.cancel()
        self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        # DuckDB forgets an interrupt that comes while nothing runs: what was stopped must neither begin nor look whole.
        self._go_on()
        try:
            yield
        except duckdb.Error as error:
            raise self._translate(error) from error
        self._go_on()

    def _go_on(self) -> None:
        if self.stopped:
            raise QueryError(self.stopped)

    def _translate(self, error: duckdb.Error) -> NextbasketError:
        if self.stopped:
            return QueryError(self.stopped)
        return duckdb_rules.translate(error, self.prepared.statement, self.prepared.tree)


# A bare NULL has no type of its own: Athena writes such a column as text.
_NARROWED = {"HUGEINT": "BIGINT", "UHUGEINT": "BIGINT", '"NULL"': "VARCHAR", "NULL": "VARCHAR"}


def _copy_options(schema: pa.Schema, format: str, partition_by: tuple[str, ...], in_order: bool) -> str:
    if format == "csv":
        options = ["FORMAT csv", "HEADER true"]
    elif format == "json":
        options = ["FORMAT json"]
    elif format == "parquet":
        options = [
            "FORMAT parquet",
            "COMPRESSION zstd",
            f"COMPRESSION_LEVEL {ZSTD_LEVEL}",
            f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}",
            f"DICTIONARY_SIZE_LIMIT {DICTIONARY_VALUES}",
        ]
        ids = _field_ids(schema)
        if ids:
            options.append(f"FIELD_IDS {ids}")
    else:
        raise QueryError(f"cannot write {format!r}: use parquet, csv or json.")
    if partition_by:
        options += [
            f"PARTITION_BY ({', '.join(quoted(name) for name in partition_by)})",
            "WRITE_PARTITION_COLUMNS true",
        ]
        options.append("PRESERVE_ORDER false")
    elif format == "parquet" and not in_order:
        options += [f"FILE_SIZE_BYTES {FILE_BYTES}", "PRESERVE_ORDER false"]
    else:
        # DuckDB keeps an order only within one file.
        options.append(f"PRESERVE_ORDER {'true' if in_order else 'false'}")
    return ", ".join(options)


def _field_ids(fields: pa.Schema | pa.StructType) -> str:
    parts = [f"{quoted(field.name)}: {_field_id(field)}" for field in fields if _own_id(field) is not None]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _own_id(field: "pa.Field[Any]") -> int | None:
    value = (field.metadata or {}).get(b"PARQUET:field_id")
    return int(value) if value is not None else None


def _field_id(field: "pa.Field[Any]") -> str:
    own = _own_id(field)
    inside: dict[str, pa.Field[Any]] = {}
    if pa.types.is_map(field.type):
        inside = {"key": field.type.key_field, "value": field.type.item_field}
    elif pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
        inside = {"element": field.type.value_field}
    elif pa.types.is_struct(field.type):
        inside = {child.name: child for child in field.type}
    nested = [f"{quoted(name)}: {_field_id(child)}" for name, child in inside.items() if _own_id(child) is not None]
    return f"{{__duckdb_field_id: {own}, {', '.join(nested)}}}" if nested else str(own)


def _function_type(arrow: pa.DataType) -> Any:
    return duckdb.sqltype(duckdb_type(arrow))
