"""The load by hand in DuckDB: read the CSV files, write sorted Parquet. Nothing is checked, nothing is committed."""

import sys

from _report import report  # isort: skip (it starts the clock, before the heavy imports)
import duckdb

shop, out, joined = sys.argv[1:4]
con = duckdb.connect()
con.execute("set preserve_insertion_order = false")
for table in ("aisles", "departments", "products"):
    con.execute(f"copy (from read_csv('{shop}/{table}.csv') order by 1) to '{out}/{table}.parquet' (compression zstd)")
con.execute(f"copy (from read_csv('{shop}/orders.csv') order by order_id) to '{out}/orders.parquet' (compression zstd)")
lines = f"from read_csv(['{shop}/order_products__prior.csv', '{shop}/order_products__train.csv'])"
con.execute(f"copy ({lines} order by order_id) to '{out}/order_products.parquet' (compression zstd)")
if joined == "joined":
    con.execute(f"""copy (select o.*, product_id, add_to_cart_order, reordered from '{out}/order_products.parquet'
        join '{out}/orders.parquet' o using (order_id) where eval_set = 'prior')
        to '{out}/order_products_prior.parquet' (compression zstd)""")
report(
    "duckdb " + duckdb.__version__, con.execute(f"select count(*) from '{out}/order_products.parquet'").fetchone()[0]
)
