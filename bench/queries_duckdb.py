"""The named baseline queries by hand: DuckDB on the tables' own Parquet files, each result written as Parquet."""

import json
import sys
from pathlib import Path

from _report import report  # isort: skip (it starts the clock, before the heavy imports)
import duckdb

tables, queries, out = (Path(argument) for argument in sys.argv[1:4])
con = duckdb.connect()
con.execute("set preserve_insertion_order = false")
for name, files in json.loads(tables.read_text()).items():
    con.execute(f"create view {name} as from read_parquet({files})")
rows = 0
for name in sys.argv[4:]:
    sql = (queries / f"{name}.sql").read_text()
    rows += con.execute(f"copy ({sql}) to '{out}/{name}.parquet' (format parquet, compression zstd)").fetchone()[0]
report("duckdb " + duckdb.__version__, rows)
