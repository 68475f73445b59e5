"""Every statement that writes, on Spark: through the engine's own files and the same commits as on DuckDB."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from nextbasket.errors import NotBuiltError, QueryError

from .home import StatementHome

HAS_SPARK = shutil.which("java") is not None and importlib.util.find_spec("pyspark") is not None
pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.skipif(not HAS_SPARK, reason="Spark needs Java")]
ALL = "SELECT * FROM mine.o ORDER BY order_id"


def test_statements_give_the_same_on_spark(tmp_path: Path) -> None:
    from nextbasket.query.spark import SparkEngine

    home = StatementHome(tmp_path / "home")
    spark = home.workgroup.with_engine(SparkEngine(tmp_path / "scratch", cores=2, memory="1g"))

    def run(sql: str) -> list[tuple]:
        handle = spark.execute(sql)
        return [tuple(row.values()) for batch in handle.batches() for row in batch.to_pylist()]

    assert run("CREATE TABLE mine.o WITH (table_type = 'ICEBERG') AS SELECT order_id, user_id, gap FROM orders") == [
        (4,)
    ]
    first = home.catalog.snapshots("mine.o")[0].id
    assert run("INSERT INTO mine.o VALUES (5, 3, NULL), (6, 3, 2e0)") == [(2,)]
    assert run("UPDATE mine.o SET gap = coalesce(gap, 0e0) + 1 WHERE user_id = 1") == [(3,)]
    assert run("DELETE FROM mine.o WHERE order_id IN (SELECT order_id FROM orders WHERE user_id = 2)") == [(1,)]
    assert run(
        "MERGE INTO mine.o t USING (VALUES (1, 9), (7, 9)) AS s(id, u) ON t.order_id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (order_id, user_id) VALUES (s.id, s.u)"
    ) == [(2,)]
    expected = [(2, 1, 8.0), (3, 1, 15.0), (5, 3, None), (6, 3, 2.0), (7, 9, None)]
    assert run(ALL) == home.values(ALL) == expected
    counted = "SELECT count(*) FROM mine.o FOR VERSION AS OF {}"
    assert run(counted.format(first)) == [(4,)]
    run("CREATE VIEW mine.v AS SELECT user_id, count(*) AS n FROM mine.o GROUP BY user_id")
    assert run("SELECT n FROM mine.v WHERE user_id = 3") == [(2,)]
    assert run('SELECT sum(record_count) FROM mine."o$files"') == [(5,)]
    assert run("CREATE TABLE mine.f AS SELECT order_id FROM mine.o") == [(5,)]
    assert run("INSERT INTO mine.f VALUES (8)") == [(1,)]
    assert home.values("SELECT count(*), max(order_id) FROM mine.f") == [(6, 8)]
    assert any("Scan" in line for (line,) in run("EXPLAIN SELECT order_id FROM mine.o WHERE user_id = 1"))
    with pytest.raises(NotBuiltError, match="--engine duckdb"):
        run("EXPLAIN ANALYZE SELECT 1")
    with pytest.raises(QueryError, match="belongs to the pipeline"):
        run("DELETE FROM orders")
    assert home.workgroup.history(1)[0].engine == "spark"
