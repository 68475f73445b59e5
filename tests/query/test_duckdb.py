"""What is DuckDB's alone: Python functions, locking, limits, threads, and what an import brings along."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.errors import InputError, QueryError
from nextbasket.query.base import Function, Inputs, Limits, QueryState
from nextbasket.query.duckdb import DuckDBEngine


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(tmp_path / "scratch", threads=2, memory_limit="500MB")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    table = pa.table({"id": list(range(1000)), "name": [f"n{number % 7}" for number in range(1000)]})
    path = tmp_path / "it's 100% a file.parquet"
    pq.write_table(table, path)
    return {"shop.t": Scan("shop.t", "parquet", (DataFile(str(path), 1000, path.stat().st_size),), table.schema)}


def one(engine: DuckDBEngine, query: object, inputs: Inputs) -> dict:
    handle = engine.start(query, inputs)
    (row,) = pa.Table.from_batches(list(handle.batches()), handle.schema).to_pylist()
    return row


def test_a_python_function_works_on_arrow_arrays(engine: DuckDBEngine, inputs: Inputs) -> None:
    engine.register(Function("twice", (pa.int64(),), pa.int64(), lambda values: pc.multiply(values, 2)))
    assert engine.capabilities().functions
    assert one(engine, "SELECT sum(TWICE(id)) AS s FROM t", inputs) == {"s": 999_000}
    with pytest.raises(QueryError, match=r"no function thrice\(\) .* did you mean twice\(\)"):
        engine.describe("SELECT thrice(id) FROM t", inputs)


# The engine's own lock, with the dialect's check out of the way.
@pytest.mark.parametrize(
    "raw",
    [
        "SELECT count(*) FROM read_text('/etc/passwd')",
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "SELECT count(*) FROM glob('/etc/*')",
    ],
)
def test_duckdb_itself_reads_nothing_but_the_inputs(
    engine: DuckDBEngine, inputs: Inputs, monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    monkeypatch.setattr("nextbasket.query.duckdb_rules.to_duckdb", lambda _tree: raw)
    with pytest.raises(QueryError, match="cannot access"):
        one(engine, "SELECT 1 AS a FROM t", inputs)


def test_queries_run_in_threads_at_once(engine: DuckDBEngine, inputs: Inputs) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: one(engine, f"SELECT max(id) + {n} AS m FROM t", inputs)["m"], range(12)))  # noqa: S608
    assert found == [999 + number for number in range(12)]


def test_cancel_from_another_thread_stops_a_running_query(engine: DuckDBEngine, inputs: Inputs) -> None:
    handle = engine.start("SELECT sum(a.id * b.id * c.id * d.id) FROM t a, t b, t c, t d", inputs)
    timer = threading.Timer(0.2, handle.cancel)
    timer.start()
    with pytest.raises(QueryError, match="was cancelled"):
        list(handle.batches())
    timer.join()
    assert handle.state is QueryState.CANCELLED


def test_a_result_streams_and_may_be_left_in_the_middle(engine: DuckDBEngine, inputs: Inputs) -> None:
    handle = engine.start("SELECT a.id, b.id AS other FROM t a, t b", inputs)
    batches = handle.batches()
    first = next(batches)
    assert 0 < first.num_rows < 1_000_000
    batches.close()
    assert handle.state is QueryState.FAILED


def test_memory_beyond_the_limit_is_said(engine: DuckDBEngine, inputs: Inputs) -> None:
    handle = engine.start(
        "SELECT a.name, max_by(a.id, b.id) FROM t a, t b, t c GROUP BY a.name, a.id * 1000000 + b.id * 1000 + c.id",
        inputs,
        limits=Limits(memory_bytes=8_000_000),
    )
    with pytest.raises(QueryError, match="memory"):
        list(handle.batches())


def test_a_write_limited_in_time_is_stopped(engine: DuckDBEngine, inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"longer than its limit of 0\.2 seconds"):
        engine.write(
            "SELECT sum(a.id * b.id * c.id * d.id) FROM t a, t b, t c, t d",
            inputs,
            str(tmp_path / "out"),
            limits=Limits(seconds=0.2),
        )


def test_an_ordered_write_keeps_its_order(engine: DuckDBEngine, inputs: Inputs, tmp_path: Path) -> None:
    sql = "SELECT a.id * 1000 + b.id AS n FROM t a, t b ORDER BY n DESC"
    (file,) = engine.write(sql, inputs, str(tmp_path / "out"))
    values = pq.read_table(file.uri)["n"].to_numpy()
    assert (values[:-1] > values[1:]).all()
    assert (len(values), file.rows) == (1_000_000, 1_000_000)


@pytest.mark.parametrize(("format", "text"), [("csv", "m,n\n999,n4\n"), ("json", '{"m":999,"n":"n4"}\n')])
def test_text_formats(engine: DuckDBEngine, inputs: Inputs, tmp_path: Path, format: str, text: str) -> None:
    sql = "SELECT id AS m, name AS n FROM t WHERE id = 998 + 1"
    text = text.replace("n4", f"n{999 % 7}")
    (file,) = engine.write(sql, inputs, str(tmp_path / "out"), format=format)
    assert Path(file.uri).read_text() == text
    assert file.rows == 1


def test_partitions_are_folders_whose_files_keep_the_column(
    engine: DuckDBEngine, inputs: Inputs, tmp_path: Path
) -> None:
    files = engine.write("SELECT * FROM t", inputs, str(tmp_path / "out"), partition_by=["name"])
    assert sorted(Path(file.uri).parent.name for file in files) == [f"name=n{number}" for number in range(7)]
    assert sum(file.rows for file in files) == 1000
    assert pq.ParquetFile(files[0].uri).schema_arrow.names == ["id", "name"]


def test_a_write_into_a_used_folder_is_refused(engine: DuckDBEngine, inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="not empty"):
        engine.write("SELECT 1 AS a", inputs, str(tmp_path))


def test_an_encoding_that_cannot_be_read_is_named(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a\nœ\n".encode("cp1252"))
    schema = pa.schema([("a", pa.string())])
    for encoding, message in (("cp1252", "cannot be queried in place"), ("klingon", "unknown encoding")):
        scan = Scan("landing.t", "csv", (DataFile(str(path), -1, 4),), schema, None, {"encoding": encoding})
        with pytest.raises(InputError, match=message):
            engine.describe("SELECT * FROM t", {"landing.t": scan})


def test_the_query_room_imports_no_optional_package(tmp_path: Path) -> None:
    code = (
        "import sys, ibis\n"
        "from pathlib import Path\n"
        "import nextbasket.query.workgroup, nextbasket.query.spark\n"
        "from nextbasket.query.duckdb import DuckDBEngine\n"
        "engine = DuckDBEngine(Path(sys.argv[1]))\n"
        "engine.describe('SELECT 1 AS a', {})\n"
        "ibis.to_sql(ibis.table({'a': 'int64'}, name='t').count().as_table(), dialect='duckdb')\n"
        "print(sorted({'pandas', 'polars', 'pyspark', 'matplotlib', 'sklearn'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
