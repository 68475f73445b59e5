"""Time crawls of ten thousand daily files: all new, none changed, ten new.

``python bench/crawl.py --work DIR [--rounds 3]`` prints one JSON object; every crawl is the real command in a process
of its own, its start included. The crawl of the full-scale layout's six files is timed by ``bench/load.py``.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

NEXTBASKET = str(Path(sys.executable).parent / "nextbasket")
FILES = 10_000


def lay(folder: Path, first: int, count: int) -> None:
    """Write daily files of 20 lines into partitions of a hundred."""
    for number in range(first, first + count):
        day = folder / f"batch={number // 100}"
        day.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{number * 20 + line},{line},n{line}\n" for line in range(20))
        (day / f"{number}.csv").write_text(f"id,amount,name\n{lines}")


def crawl(home: Path) -> float:
    # --force: else the step before the crawl already sees that no file has changed.
    began = time.perf_counter()
    subprocess.run([NEXTBASKET, "--home", str(home), "crawl", "--force"], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    home = options.work / "home"
    found: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        shutil.rmtree(home, ignore_errors=True)
        lay(home / "landing/sales", 0, FILES)
        found.setdefault("10,000 new files", []).append(crawl(home))
        found.setdefault("none changed", []).append(crawl(home))
        lay(home / "landing/sales", FILES, 10)
        found.setdefault("ten new", []).append(crawl(home))
    shutil.rmtree(home)
    medians = {name: round(statistics.median(each), 2) for name, each in found.items()}
    sys.stdout.write(json.dumps({"medians": medians, "rounds": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
