"""Generate a shop of the Instacart set's full size and print one JSON line: seconds, peak resident GB, rows, CSV GB.

    python bench/sample_full_scale.py [--shoppers 206209] [--workers 2] [--seed 1]

The peak is the sum over the process and its workers, sampled every tenth of a second (Linux: /proc).
"""

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from nextbasket.grocery.sample import generate


def resident_gb(process: int) -> float:
    """Resident memory of a process and all its children, GB."""
    total = 0.0
    try:
        total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in (thread / "children").read_text().split():
                total += resident_gb(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass  # the process ended between two looks
    return total


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--shoppers", type=int, default=206_209)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        global peak
        while not done.wait(0.1):
            peak = max(peak, resident_gb(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    folder = Path(tempfile.mkdtemp()) / "shop"
    start = time.perf_counter()
    try:
        report = generate(chosen.shoppers, chosen.seed, folder, workers=chosen.workers)
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
    finally:
        done.set()
        watcher.join()
        shutil.rmtree(folder.parent)
    used = os.times()
    cpu = used.user + used.system + used.children_user + used.children_system
    rows = {"shoppers": report.shoppers, "orders": report.orders, "lines": report.prior_lines + report.train_lines}
    cost = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_gb": round(peak, 2)}
    print(json.dumps({"generated": "sample", **rows, **cost, "csv_gb": round(size, 2), "workers": chosen.workers}))
