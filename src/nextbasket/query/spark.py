"""Spark as query engine: the same queries, on the engine AWS Glue runs. An extra; needs Java 17.

It runs inside this process on the machine's cores, reads the planned files with explicit schemas and writes Parquet.
One Spark serves all engines of a process; each query has a session of its own.
"""

import importlib.util
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from nextbasket.catalog.base import NULL_PARTITION, DataFile, Scan
from nextbasket.errors import InputError, MissingExtraError, NextbasketError, NotBuiltError, QueryError
from nextbasket.query import spark_rules
from nextbasket.query.base import Capabilities, Function, Inputs, Limits, Query
from nextbasket.query.columns import same_columns
from nextbasket.query.file_forms import FileGroup, groups
from nextbasket.query.inputs import Prepared, encoding, local_path, prepare
from nextbasket.query.running import RunningQuery, stop_after
from nextbasket.query.spark_types import arrow_type, spark_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BATCH_ROWS = 65_536
_LOCK = threading.Lock()
_ENCODINGS = {
    "ascii": "us-ascii",
    "iso8859-1": "iso-8859-1",
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
}

# pyspark logs each refused statement to stderr beside raising it; the raised one is shown.
logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)


class SparkEngine:
    """Runs queries in Spark.

    ``scratch`` takes shuffles and results on their way out; ``cores`` defaults to all; ``memory`` is Java's heap,
    for example ``2g``, and counts only for the first engine of a process.
    """

    def __init__(self, scratch: Path, cores: int | None = None, memory: str = "2g") -> None:
        if importlib.util.find_spec("pyspark") is None:
            raise MissingExtraError("Spark", "spark")
        self._scratch = scratch
        self._cores = cores
        self._memory = memory

    def capabilities(self) -> Capabilities:
        """Say that cancelling works and Python functions do not."""
        return Capabilities("spark", functions=False, cancel=True)

    def register(self, function: Function) -> None:
        """Refuse: a Python function would need a Python worker for each core."""
        raise NotBuiltError(f"the Python function {function.name}() on Spark")

    def describe(self, query: Query, inputs: Inputs) -> pa.Schema:
        """Return the result's schema; parameters stand as NULL."""
        with _Session(self, prepare(query, inputs, None), Limits()) as session:
            return session.schema

    def start(
        self, query: Query, inputs: Inputs, parameters: Sequence[Any] = (), limits: Limits | None = None
    ) -> RunningQuery:
        """Start a SELECT; it runs when ``batches`` is read, through Parquet files in the scratch folder."""
        limits = limits or Limits()
        prepared = prepare(query, inputs, parameters)
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
        """Return Spark's plan as lines; what a run took is not told."""
        if analyze:
            raise NotBuiltError("EXPLAIN ANALYZE on Spark (instead: --engine duckdb)")
        limits = limits or Limits()
        prepared = prepare(query, inputs, parameters)
        prepared.refuse_beyond(limits)
        with _Session(self, prepared, limits) as session:
            return session.explain()

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
        """Write the result as Parquet into an empty folder; an empty result writes no file.

        Spark writes no Iceberg field ids, so the files are written again by Arrow, row group by row group.
        """
        if format != "parquet":
            raise NotBuiltError(f"writing {format} with Spark")
        limits = limits or Limits()
        folder = local_path(destination)
        if folder.is_dir() and any(folder.iterdir()):
            raise QueryError(f"{folder} is not empty: a write needs a fresh folder.")
        if partition_by:
            raise NotBuiltError("writing partitions with Spark")
        folder.mkdir(parents=True, exist_ok=True)
        prepared = prepare(query, inputs, parameters)
        prepared.refuse_beyond(limits)
        with _Session(self, prepared, limits) as session:
            target = schema if schema is not None else session.schema
            return session.write(folder, target)

    @property
    def scratch(self) -> Path:
        """The folder for files in passing."""
        return self._scratch

    def session(self) -> "SparkSession":
        """Return a new session of this process's Spark, started on first use; raises QueryError without Java."""
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
            raise QueryError("Spark needs Java 17 and there is none: run make setup-system, or use --engine duckdb.")
        self._scratch.mkdir(parents=True, exist_ok=True)
        # Loopback only: nothing of a query may be reached from another machine.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        with _LOCK:
            builder = (
                SparkSession.builder.master(f"local[{self._cores or '*'}]")
                .appName("nextbasket")
                .config("spark.ui.enabled", "false")
                .config("spark.driver.memory", self._memory)
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.local.dir", str(self._scratch))
                .config("spark.sql.warehouse.dir", str(self._scratch / "spark-warehouse"))
                .config("spark.sql.session.timeZone", "UTC")
                .config("spark.sql.shuffle.partitions", str(self._cores or os.cpu_count() or 2))
                .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
                .config("spark.sql.ansi.enabled", "true")
                .config("spark.log.level", "ERROR")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
            )
            try:
                return builder.getOrCreate().newSession()
            except (PySparkException, OSError, RuntimeError) as error:
                raise QueryError(f"Spark does not start: {error}. It needs Java 17 (make setup-system).") from error


class _Session:
    """One query's own Spark session: the planned files as views."""

    def __init__(self, engine: SparkEngine, prepared: Prepared, limits: Limits) -> None:
        self.prepared = prepared
        self.stopped: str | None = None
        self._tag = f"nextbasket-{uuid.uuid4().hex}"
        self._folder = engine.scratch / self._tag
        self._spark = engine.session()
        self._timer = stop_after(limits, self.stop)
        try:
            with self._translated():
                names = {key: f"input_{number}" for number, key in enumerate(prepared.scans)}
                for key, scan in prepared.scans.items():
                    self._view(names[key], scan)
                if prepared.expression is not None:
                    sql = spark_rules.expression_to_spark(prepared.expression, names.__getitem__)
                else:
                    assert prepared.tree is not None  # noqa: S101 (prepare gives an expression or a tree)
                    assert prepared.statement is not None  # noqa: S101 (a tree comes from a statement)
                    sql = spark_rules.to_spark(prepared.tree, prepared.statement, names.__getitem__)
                self._frame: DataFrame = self._spark.sql(sql)
                self.schema = pa.schema(
                    [(field.name, arrow_type(field.dataType.simpleString())) for field in self._frame.schema.fields]
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "_Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _view(self, name: str, scan: Scan) -> None:
        if self.prepared.with_path:
            raise NotBuiltError('"$path" on Spark')
        if not scan.files:
            fields = ", ".join(f"{_quoted(field.name)} {spark_type(field.type)}" for field in scan.schema)
            self._spark.createDataFrame([], fields).createOrReplaceTempView(name)
            return
        whole: DataFrame | None = None
        for group in groups(scan):
            folders: dict[tuple[tuple[str, str], ...], list[str]] = {}
            for uri in group.uris:
                folders.setdefault(tuple(sorted(scan.partitions.get(uri, {}).items())), []).append(uri)
            for values, uris in folders.items():
                part = self._partition(group, dict(values), uris)
                whole = part if whole is None else whole.unionByName(part)
        assert whole is not None  # noqa: S101 (there are files, so there are groups)
        whole.createOrReplaceTempView(name)

    def _partition(self, group: FileGroup, values: dict[str, str], uris: list[str]) -> "DataFrame":
        from pyspark.sql import functions

        kinds = {field.name: spark_type(field.type) for field in group.scan.schema}
        plain = [name for name in kinds if name not in values]
        inside = {name: kinds[name] for name in plain}
        if group.scan.format == "csv":
            # Read by position. A column that the files hold beside their folder's value of that name is read over.
            inside = {
                name if name not in values else f"file {name}": kinds.get(name, "string") for name in group.columns
            }
        frame = self._read(group.scan, uris, ", ".join(f"{_quoted(name)} {kind}" for name, kind in inside.items()))
        for name in plain:
            if name not in inside:
                frame = frame.withColumn(name, functions.lit(None).cast(kinds[name]))
        for name, value in values.items():
            known = None if value == NULL_PARTITION else value
            frame = frame.withColumn(name, functions.lit(known).cast(kinds[name]))
        return frame.select(*[_quoted(name) for name in kinds])

    def _read(self, scan: Scan, uris: list[str], fields: str) -> "DataFrame":
        paths = [str(local_path(uri)) for uri in uris]
        reader = self._spark.read.schema(fields)
        if scan.format in ("parquet", "iceberg"):
            return reader.parquet(*paths)
        if scan.format == "json":
            return reader.option("mode", "FAILFAST").json(paths)
        if scan.format != "csv":
            raise InputError(f"{scan.table} has the format {scan.format!r}, which cannot be read.")
        given = scan.parameters
        quote = given.get("quote", '"')
        return (
            reader.option("mode", "FAILFAST")
            .option("header", given.get("skip.header.line.count", "0") != "0")
            .option("enforceSchema", True)
            .option("sep", given.get("delimiter", ","))
            .option("quote", quote)
            .option("escape", quote)
            .option("encoding", encoding(scan, _ENCODINGS))
            .option("multiLine", True)
            .csv(paths)
        )

    def _parts(self) -> list[Path]:
        """Run the query into Parquet files of the scratch folder; returns them in the result's order."""
        if self.stopped is not None:
            raise QueryError(self.stopped)
        with self._translated():
            self._spark.sparkContext.setJobGroup(self._tag, "nextbasket", interruptOnCancel=True)
            # Parquet takes neither equal names nor every character in a name: the schema keeps the real ones.
            plain = self._frame.toDF(*[f"c{index}" for index in range(len(self._frame.columns))])
            voids = [name for name, kind in plain.dtypes if kind == "void"]
            for name in voids:
                plain = plain.withColumn(name, plain[name].cast("string"))
            plain.write.parquet(str(self._folder))
        if self.stopped is not None:
            raise QueryError(self.stopped)
        return sorted(self._folder.glob("part-*.parquet"))

    def stream(self) -> Iterator[pa.RecordBatch]:
        """Yield the result's batches."""
        for path in self._parts():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    if self.stopped is not None:
                        raise QueryError(self.stopped)
                    yield _cast(batch, self.schema)

    def explain(self) -> str:
        """Return the plan's text."""
        with self._translated():
            return str(self._frame._jdf.queryExecution().explainString(self._mode()))

    def _mode(self) -> Any:
        java: Any = self._spark._jvm
        mode = java.org.apache.spark.sql.execution.ExplainMode
        return mode.fromString("formatted")

    def write(self, folder: Path, target: pa.Schema) -> list[DataFile]:
        """Write the result's files with the target's names, types and field ids."""
        positions = same_columns(self.schema, target)
        written = []
        for number, path in enumerate(self._parts()):
            with pq.ParquetFile(path) as file:
                rows = file.metadata.num_rows
                if not rows:
                    continue
                out = folder / f"data_{number}.parquet"
                with pq.ParquetWriter(out, target, compression="zstd", compression_level=1) as writer:
                    for batch in file.iter_batches(BATCH_ROWS * 2):
                        columns = [batch.column(position) for position in positions]
                        writer.write_batch(_cast(pa.RecordBatch.from_arrays(columns, names=target.names), target))
            written.append(DataFile(str(out), rows, out.stat().st_size))
        return written

    def stop(self, reason: str) -> None:
        """Interrupt what runs; it then fails with ``reason``."""
        self.stopped = self.stopped or reason
        # A query is several jobs in a row: one that comes after this call must not start either. pyspark itself offers
        # only to cancel those that run at this moment.
        self._spark.sparkContext._jsc.sc().cancelJobGroupAndFutureJobs(self._tag)

    def close(self) -> None:
        """Remove the files in passing."""
        if self._timer is not None:
            self._timer.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # py4j ships no types
        from pyspark.errors import PySparkException

        try:
            yield
        except (PySparkException, Py4JError) as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> NextbasketError:
        if self.stopped is not None:
            return QueryError(self.stopped)
        return spark_rules.translate(error, self.prepared.statement, self.prepared.tree)


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        if pa.types.is_timestamp(column.type) and column.type.tz is not None and pa.types.is_timestamp(field.type):
            # Spark's timestamps are in UTC by this engine's setting: the clock time is the value.
            column = column.cast(pa.timestamp("us", "UTC")).view(pa.int64()).cast(pa.timestamp("us"))
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
