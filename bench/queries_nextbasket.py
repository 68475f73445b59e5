"""The named baseline queries as nextbasket runs them in one process, each result written as Parquet."""

import sys
from pathlib import Path

from _report import report  # isort: skip (it starts the clock, before the heavy imports)
from nextbasket.app.shop import open_shop
from nextbasket.query.workgroup import save

home, out = (Path(argument) for argument in sys.argv[1:3])
rows = 0
with open_shop(home) as shop:
    for name in sys.argv[3:]:
        database = "features" if name == "feature_table" else "shop"
        handle = shop.workgroup.execute(shop.statement(f"@{name}"), database=database)
        rows += save(handle, out / f"{name}.parquet", "parquet")
report("nextbasket", rows)
