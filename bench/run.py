"""Time nextbasket beside its peers on one generated shop: interleaved rounds, medians, ratios to hand-written DuckDB.

``python bench/run.py [--scale full|small] [--rounds 3]`` prints a table and writes it, dated, to docs/proof/.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from measure import Measured, measure, memory_gb

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
SHOPPERS = {"full": 206_209, "small": 2_000}
PACKAGES = ("nextbasket", "duckdb", "pandas", "polars", "pyspark", "xgboost-cpu")
REFERENCE = "duckdb by hand"
OTHERS = ("polars", "pandas", "spark")
TRAINING = "nextbasket, training build"
BOTH = "nextbasket, both builds"
FIT_REFERENCE = "xgboost by hand"
FIT = "nextbasket train baseline"


@dataclass(slots=True)
class Lane:
    """One contestant and what its rounds gave: seconds, GB, and why a round did not end well."""

    name: str
    reference: str
    seconds: list[float] = field(default_factory=list)
    peak_gb: list[float] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def take(self, result: Measured, rows: int | None = None) -> None:
        """Add one round."""
        if not result.done:
            self.faults.append(f"{result.outcome} (at {result.seconds:.0f} s, {result.peak_gb:.1f} GB)")
            return
        self.seconds.append(result.seconds)
        self.peak_gb.append(result.peak_gb)
        if rows is not None:
            self.rows.add(rows)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run of the bench works and what it may use."""

    shop: Path
    work: Path
    limit_seconds: float
    limit_gb: float

    def command(self, name: str, *command: str) -> Measured:
        """Measure one command; what it says on stderr is kept in the work folder."""
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every contestant compiles its libraries again
        return measure(
            command,
            limit_seconds=self.limit_seconds,
            limit_gb=self.limit_gb,
            log=self.work / f"{name}.log",
            environment=environment,
        )

    def peer(self, script: str, *arguments: str) -> tuple[Measured, int | None]:
        """Measure a peer's script; returns also the rows it reports."""
        result = self.command(script, sys.executable, str(BENCH / f"{script}.py"), *arguments)
        return result, json.loads(result.output.splitlines()[-1])["rows"] if result.done else None

    def ours(self, home: Path, *steps: tuple[str, ...]) -> Measured:
        """Measure our steps one after another, each a process of its own: seconds add up, the largest peak counts."""
        seconds, peak, output = 0.0, 0.0, ""
        for step in steps:
            result = self.command("nextbasket", nextbasket(), "--home", str(home), "--json", *step)
            seconds, peak, output = seconds + result.seconds, max(peak, result.peak_gb), result.output
            if not result.done:
                return Measured(seconds, peak, f"{step[0]}: {result.outcome}", output)
        return Measured(seconds, peak, "done", output)


def nextbasket() -> str:
    """Return the command of this environment."""
    return str(Path(sys.executable).parent / "nextbasket")


def generated_shop(work: Path, shoppers: int) -> Path:
    """Return the generated shop's folder, made on the first call."""
    shop = work / f"shop-{shoppers}"
    if not shop.exists():
        unfinished = work / f"unfinished-{shoppers}"
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(
            [nextbasket(), "sample", "--shoppers", str(shoppers), "--seed", "1", "--to", str(unfinished)], check=True
        )
        unfinished.rename(shop)
    return shop


def feature_rounds(bench: Bench, rounds: int, lanes: dict[str, Lane]) -> Iterator[str]:
    """Run every contestant that has a lane once a round, each round starting with another one; yields what was done."""
    home = bench.work / "home"

    def peer(name: str, script: str) -> None:
        out = bench.work / script
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        result, rows = bench.peer(script, str(bench.shop), str(out))
        lanes[name].take(result, rows)
        if script != "features_duckdb":  # its table is what xgboost by hand trains on
            shutil.rmtree(out)

    def ours() -> None:
        shutil.rmtree(home, ignore_errors=True)
        training = ("run", "--source", str(bench.shop), "--until", "features-training")
        first = bench.ours(home, training)
        lanes[TRAINING].take(first, feature_rows(home) if first.done else None)
        if first.done:
            # What the serving build adds: the steps of the training build are up to date and skipped.
            second = bench.ours(home, (*training, "--until", "features-serving"))
            peak = max(first.peak_gb, second.peak_gb)
            lanes[BOTH].take(Measured(first.seconds + second.seconds, peak, second.outcome, ""))

    contestants: list[tuple[str, Callable[[], None]]] = [
        (REFERENCE, partial(peer, REFERENCE, "features_duckdb")),
        (TRAINING, ours),
        *((name, partial(peer, name, f"features_{name}")) for name in OTHERS),
    ]
    contestants = [(name, contest) for name, contest in contestants if name in lanes]
    for turn in range(rounds):
        for place in range(len(contestants)):
            name, contest = contestants[(turn + place) % len(contestants)]
            if not lanes[name].faults:  # what failed once is not tried again: its lane says why
                contest()
            yield f"round {turn + 1}: {name}"


def fit_rounds(bench: Bench, rounds: int, lanes: dict[str, Lane]) -> Iterator[str]:
    """Train the baseline on all shoppers by hand and by nextbasket, on the feature tables that the rounds left."""
    features = bench.work / "features_duckdb" / "features.parquet"
    for turn in range(rounds):
        result, _ = bench.peer("train_xgboost", str(features), str(bench.shop))
        lanes[FIT_REFERENCE].take(result)
        yield f"round {turn + 1}: {FIT_REFERENCE}"
        # A model that is up to date is not trained again.
        shutil.rmtree(bench.work / "home" / "models", ignore_errors=True)
        lanes[FIT].take(bench.ours(bench.work / "home", ("train", "--model", "baseline", "--fraction", "1.0")))
        yield f"round {turn + 1}: {FIT}"


def feature_rows(home: Path) -> int:
    """Return how many rows our feature table has."""
    statement = "SELECT COUNT(*) AS n FROM features.feature_table"
    command = [nextbasket(), "--home", str(home), "query", statement, "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(done.stdout)[0]["n"])


def table(lanes: dict[str, Lane]) -> str:
    """Return the medians as a Markdown table."""
    lines = ["| what | seconds (median) | all rounds | ratio | peak GB | rows |", "|---|---:|---|---:|---:|---:|"]
    for lane in lanes.values():
        if not lane.seconds:
            lines.append(f"| {lane.name} | {'; '.join(lane.faults) or 'not run'} | | | | |")
            continue
        middle = statistics.median(lane.seconds)
        base = lanes[lane.reference].seconds
        ratio = f"{middle / statistics.median(base):.2f} of {lane.reference}" if base else ""
        each = ", ".join(f"{one:.1f}" for one in lane.seconds) + "".join(f"; {fault}" for fault in lane.faults)
        rows = " and ".join(f"{count:,}" for count in sorted(lane.rows))
        lines.append(f"| {lane.name} | {middle:.1f} | {each} | {ratio} | {max(lane.peak_gb):.2f} | {rows} |")
    return "\n".join(lines)


def surroundings(scale: str, bench: Bench) -> dict[str, Any]:
    """Return what the figures depend on: machine, versions, commit, limits."""
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git.stdout.strip(),
        "scale": scale,
        "shoppers": SHOPPERS[scale],
        "cores": os.cpu_count(),
        "memory_gb": round(memory_gb("MemTotal"), 1),
        "limit_seconds": bench.limit_seconds,
        "limit_gb": round(bench.limit_gb, 1),
        "python": platform.python_version(),
        "versions": versions,
    }


def main() -> int:
    """Run the bench; returns 1 when ours or the hand-written DuckDB failed, or when the tables differ in rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=sorted(SHOPPERS), default="full")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit-rounds", type=int, help="rounds of the training comparison; as many as --rounds")
    parser.add_argument("--skip", action="append", default=[], choices=OTHERS, help="leave a peer out")
    parser.add_argument("--limit-seconds", type=float, default=600, help="wall time one command may take")
    parser.add_argument("--limit-gb", type=float, default=0.8 * memory_gb("MemTotal"), help="memory one may take")
    parser.add_argument("--work", type=Path, default=BENCH / "work", help="scratch folder; the shop is kept there")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "proof", help="folder for the dated report")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    shop = generated_shop(options.work, SHOPPERS[options.scale])
    bench = Bench(shop, options.work, options.limit_seconds, options.limit_gb)

    others = [name for name in OTHERS if name not in options.skip]
    lanes = {name: Lane(name, REFERENCE) for name in (REFERENCE, TRAINING, BOTH, *others)}
    lanes |= {name: Lane(name, FIT_REFERENCE) for name in (FIT_REFERENCE, FIT)}
    for done in feature_rounds(bench, options.rounds, lanes):
        print(done, file=sys.stderr)
    if lanes[REFERENCE].seconds and lanes[TRAINING].seconds:
        fits = options.rounds if options.fit_rounds is None else options.fit_rounds
        for done in fit_rounds(bench, fits, lanes):
            print(done, file=sys.stderr)

    around = surroundings(options.scale, bench)
    text = f"# Bench, {around['at'][:10]}\n\n`python bench/run.py --scale {options.scale} --rounds {options.rounds}`: "
    text += "CSV to one joined feature table, then the baseline's training, each in processes of its own, interleaved. "
    text += "Memory is the sum of all its processes.\n\n" + table(lanes) + "\n\n"
    text += "\n".join(f"- {name}: {value}" for name, value in around.items()) + "\n"
    options.report.mkdir(parents=True, exist_ok=True)
    name = options.report / f"bench-{around['at'][:10]}{'' if options.scale == 'full' else '-' + options.scale}"
    name.with_suffix(".md").write_text(text, encoding="utf-8")
    record = {**around, "lanes": [lane_record(lane) for lane in lanes.values()]}
    name.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(table(lanes))
    rows = {count for lane in lanes.values() for count in lane.rows}
    if len(rows) > 1:
        print(f"the feature tables differ in rows: {sorted(rows)}", file=sys.stderr)
    return int(len(rows) > 1 or any(lanes[must].faults for must in (REFERENCE, TRAINING, BOTH)))


def lane_record(lane: Lane) -> dict[str, Any]:
    """Return a lane as JSON values."""
    return {"name": lane.name, "seconds": [round(one, 2) for one in lane.seconds], "rows": sorted(lane.rows)} | {
        "peak_gb": [round(one, 2) for one in lane.peak_gb],
        "faults": lane.faults,
    }


if __name__ == "__main__":
    sys.exit(main())
