"""Time a load of a whole shop beside DuckDB by hand, and a one-day increment into it.

``python bench/load.py --shop DIR --work DIR [--rounds 3]`` prints one JSON object; every command is a process of its
own. The increment: 10,000 new orders of known shoppers with about 100,000 lines, as two dated files.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb

BENCH = Path(__file__).resolve().parent
NEXTBASKET = str(Path(sys.executable).parent / "nextbasket")


def timed(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began


def increment(shop: Path, folder: Path, day: int, *, delivered: bool) -> None:
    """Write the next order of 10,000 shoppers; ``delivered`` says eval_set too, as Instacart's files do."""
    folder.mkdir(parents=True)
    date = f"2026-11-{day:02d}"
    con = duckdb.connect()
    con.execute(f"create table orders as from read_csv('{shop}/orders.csv')")
    con.execute(f"""create table day as select (select max(order_id) from orders)
            + {day} * 10000 + row_number() over () as order_id,
        user_id, 'train' as eval_set, n + {day} as order_number, 0 as order_dow, 10 as order_hour_of_day,
        7.0 as days_since_prior_order
        from (select user_id, max(order_number) n from orders group by user_id
            order by hash(user_id + {day}) limit 10000)""")
    columns = "*" if delivered else "* exclude (eval_set)"
    con.execute(f"copy (select {columns} from day order by order_id) to '{folder}/orders_{date}.csv'")
    (folder / "order_products").mkdir()
    con.execute(f"""copy (select order_id, 1 + (hash(order_id) % 4000) * 10 + place as product_id,
        place + 1 as add_to_cart_order, place % 2 as reordered from day, range(10) t(place)
        order by order_id, place) to '{folder}/order_products/{date}.csv'""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    home = options.work / "home"
    for _ in range(options.rounds):
        for name, joined in (("duckdb by hand", "no"), ("duckdb by hand, with prior lines", "joined")):
            out = options.work / "out"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            script = str(BENCH / "load_duckdb.py")
            found.setdefault(name, []).append(timed(sys.executable, script, str(options.shop), str(out), joined))
        shutil.rmtree(options.work / "out")
        shutil.rmtree(home, ignore_errors=True)
        found.setdefault("land", []).append(timed(NEXTBASKET, "--home", str(home), "land", str(options.shop)))
        found.setdefault("crawl", []).append(timed(NEXTBASKET, "--home", str(home), "crawl"))
        found.setdefault("load", []).append(timed(NEXTBASKET, "--home", str(home), "load"))
        # From the first day without eval_set on it is derived: that day for all orders, then for the day's shoppers.
        days = ("one day, eval_set delivered", "one day, eval_set derived first", "one day, eval_set derived")
        for day, name in enumerate(days, 1):
            folder = options.work / "day"
            shutil.rmtree(folder, ignore_errors=True)
            increment(options.shop, folder, day, delivered=day == 1)
            timed(NEXTBASKET, "--home", str(home), "land", str(folder))
            found.setdefault(name, []).append(timed(NEXTBASKET, "--home", str(home), "load"))
    medians = {name: round(statistics.median(each), 2) for name, each in found.items()}
    rounds = {name: [round(one, 2) for one in each] for name, each in found.items()}
    sys.stdout.write(json.dumps({"medians": medians, "rounds": rounds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
