"""The corpus on every engine: each statement gives the rows that Athena documents, or the error."""

import datetime as dt
import importlib.util
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlglot.tokenizer_core import TokenType
from tests.conformance.corpus import TABLES, Case, cases, written

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.errors import QueryError
from nextbasket.query import dialect
from nextbasket.query.base import Inputs, QueryEngine
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.functions import PORTABLE
from nextbasket.query.inputs import prepare
from nextbasket.query.spark_rules import to_spark, translate
from nextbasket.query.spark_types import arrow_type

if TYPE_CHECKING:
    from nextbasket.query.spark import SparkEngine

CASES = cases()
HAS_SPARK = shutil.which("java") is not None and importlib.util.find_spec("pyspark") is not None


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("corpus")
    found = {}
    for name, table in TABLES.items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path)
        file = DataFile(str(path), table.num_rows, path.stat().st_size)
        found[f"shop.{name}"] = Scan(f"shop.{name}", "parquet", (file,), table.schema)
    return found


def difference(case: Case, run: Callable[[str], pa.Table]) -> str | None:
    """Run one case; returns how its result differs from what it should be, or None."""
    try:
        found = written(run(case.sql))
    except QueryError as error:
        if case.error is not None and re.search(case.error, str(error)) and error.line is not None:
            return None
        return f"{case.place} {case.title}\n{case.sql}\nERROR {error}"
    wanted = list(case.rows)
    if case.error is not None:
        wanted = [f"an error like {case.error!r}"]
    if found == wanted or (not case.ordered and sorted(found) == sorted(wanted)):
        return None
    shown = "\n".join(["found ", *found, "wanted", *wanted])
    return f"{case.place} {case.title}\n{case.sql}\n{shown}"


def through(engine: QueryEngine, inputs: Inputs) -> Callable[[str], pa.Table]:
    """Return what runs a statement as everyone does."""

    def run(sql: str) -> pa.Table:
        handle = engine.start(sql, inputs)
        return pa.Table.from_batches(list(handle.batches()), handle.schema)

    return run


def test_the_corpus_is_large() -> None:
    assert len({case.sql for case in CASES}) == len(CASES) >= 150


def test_every_function_is_in_the_corpus() -> None:
    used = set()
    for case in CASES:
        if case.error is not None:
            continue
        tokens = dialect.tokenize(case.sql)
        for token, following in pairwise(tokens):
            if following.token_type is TokenType.L_PAREN:
                used.add(token.text.lower())
    assert PORTABLE - used == set()


def test_every_statement_on_duckdb(inputs: Inputs, tmp_path: Path) -> None:
    run = through(DuckDBEngine(tmp_path, threads=1, memory_limit="500MB"), inputs)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: difference(case, run), CASES))
    if any(found):
        pytest.fail("\n\n".join(text for text in found if text))


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.skipif(not HAS_SPARK, reason="Spark needs Java")
# pyspark's collect() leaves each socket it read a result from to Python to close.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_every_statement_on_spark(inputs: Inputs, tmp_path: Path) -> None:
    from nextbasket.query.spark import SparkEngine

    engine = SparkEngine(tmp_path, cores=2, memory="1g")
    run = in_one_session(engine, inputs)
    whole = through(engine, inputs)
    # The engine writes each result to files first, which takes longer than the statements: two files are enough here.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: difference(case, whole if case.place.startswith("maps") else run), CASES))
    if any(found):
        pytest.fail("\n\n".join(text for text in found if text))


def in_one_session(engine: "SparkEngine", inputs: Inputs) -> Callable[[str], pa.Table]:
    """Return what runs a statement in one Spark session over tables in memory: most then need no job at all."""
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # py4j ships no types
    from pyspark.errors import PySparkException

    session = engine.session()
    session.conf.set("spark.sql.shuffle.partitions", "1")
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    for name, table in TABLES.items():
        session.createDataFrame(table).createOrReplaceTempView(name)

    def run(sql: str) -> pa.Table:
        prepared = prepare(sql, inputs, ())
        assert prepared.tree is not None
        assert prepared.statement is not None
        try:
            frame = session.sql(to_spark(prepared.tree, prepared.statement, lambda key: key.rpartition(".")[2]))
            kinds = [arrow_type(field.dataType.simpleString()) for field in frame.schema.fields]
            rows = frame.collect()
        except (PySparkException, Py4JError) as error:
            raise translate(error, prepared.statement, prepared.tree) from error
        columns = [pa.array([_plain(row[at]) for row in rows], kind) for at, kind in enumerate(kinds)]
        return pa.Table.from_arrays(columns, names=[f"c{at}" for at in range(len(kinds))])

    return run


def _plain(value: object) -> object:
    """Return a value of Spark's as Arrow takes it."""
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        # Spark gives times in this machine's zone.
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return {name: _plain(item) for name, item in value.asDict().items()}  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return [(_plain(key), _plain(item)) for key, item in value.items()]
    return bytes(value) if isinstance(value, bytearray) else value
