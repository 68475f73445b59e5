"""Time the named baseline queries beside DuckDB by hand on the same Parquet files.

``python bench/queries.py --home HOME --work DIR [--rounds 3]`` prints one JSON object; the home holds a loaded and
prepared shop. Each side runs all queries in one process and writes each result as Parquet.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
QUERIES = BENCH.parent / "src" / "nextbasket" / "definitions" / "queries"
NEXTBASKET = str(Path(sys.executable).parent / "nextbasket")
NAMES = ("user_features_1", "user_features_2", "up_features", "prd_features", "feature_table")
TABLES = ("shop.orders", "shop.order_products_prior", *(f"features.{name}" for name in NAMES[:4]))


def files_of(home: Path) -> dict[str, list[str]]:
    """Return the Parquet files of every table the queries read, by the table's short name."""
    found = {}
    for table in TABLES:
        command = [NEXTBASKET, "--home", str(home), "--json", "tables", table]
        shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found[table.split(".")[1]] = [file["uri"] for file in shown["files"]]
    return found


def run(script: str, *arguments: str) -> tuple[float, int]:
    """Run one side; returns seconds and rows as it reports them, the imports of its libraries included."""
    command = [sys.executable, str(BENCH / f"{script}.py"), *arguments]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return said["seconds"], said["rows"]


def main() -> None:
    """Run the rounds, interleaved; ends with an error when the two sides' rows differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    out = options.work / "queries"
    found: dict[str, list[float]] = {"duckdb by hand": [], "nextbasket": []}
    for _ in range(options.rounds):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        tables = out / "tables.json"
        tables.write_text(json.dumps(files_of(options.home)), encoding="utf-8")
        by_hand, rows = run("queries_duckdb", str(tables), str(QUERIES), str(out), *NAMES)
        ours, our_rows = run("queries_nextbasket", str(options.home), str(out), *NAMES)
        if rows != our_rows:
            sys.exit(f"the results differ in rows: {rows:,} by hand, {our_rows:,} by nextbasket")
        found["duckdb by hand"].append(by_hand)
        found["nextbasket"].append(ours)
    shutil.rmtree(out)
    medians = {name: round(statistics.median(each), 2) for name, each in found.items()}
    sys.stdout.write(json.dumps({"medians": medians, "rounds": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
