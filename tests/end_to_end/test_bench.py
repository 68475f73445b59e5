"""The bench measures truly, stops what passes a limit, and runs from end to end on a small shop."""

import importlib.util
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    """Return bench/measure.py, which is a script's neighbour and no part of a package."""
    spec = importlib.util.spec_from_file_location("bench_measure", BENCH / "measure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def measured(measuring: ModuleType, log: Path, script: str, seconds: float = 60, gb: float = 4) -> Any:
    command = [sys.executable, "-c", script]
    return measuring.measure(command, limit_seconds=seconds, limit_gb=gb, log=log, environment=dict(os.environ))


def ended(pid: int, *, within_seconds: float) -> bool:
    """Wait for a process that is no child of ours."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], within_seconds)[0])
    finally:
        os.close(watched)


def test_a_child_process_counts_in_the_peak(measuring: ModuleType, tmp_path: Path) -> None:
    child = "b = bytearray(b'x') * 300_000_000; n = sum(range(30_000_000))"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True); print('end')"
    result = measured(measuring, tmp_path / "log", script)
    assert result.done
    assert result.output == "end\n"
    assert 0.3 < result.peak_gb < 0.6


def test_what_needs_too_much_memory_is_stopped_with_its_children(measuring: ModuleType, tmp_path: Path) -> None:
    child = "import os, pathlib, sys, threading; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); "
    child += "b = bytearray(b'x') * 400_000_000; threading.Event().wait()"
    told = tmp_path / "pid"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, {str(told)!r}])"
    result = measured(measuring, tmp_path / "log", script, gb=0.2)
    assert result.outcome == "out of memory: stopped above 0.2 GB"
    child_pid = int(told.read_text())
    assert ended(child_pid, within_seconds=10)
    assert measuring.resident_bytes(child_pid) == 0


def test_what_takes_too_long_is_stopped(measuring: ModuleType, tmp_path: Path) -> None:
    result = measured(measuring, tmp_path / "log", "import threading; threading.Event().wait()", seconds=1)
    assert result.outcome == "stopped after 1 s"
    assert 1 <= result.seconds < 10


def test_a_failure_is_reported_in_its_own_words(measuring: ModuleType, tmp_path: Path) -> None:
    result = measured(measuring, tmp_path / "log", "raise ValueError('no such column')")
    assert result.outcome == "failed: ValueError: no such column"


@pytest.mark.soak
def test_the_bench_runs_on_a_small_shop(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "run.py"), "--scale", "small", "--rounds", "1", "--skip", "spark"]
    command += ["--work", str(tmp_path / "work"), "--report", str(tmp_path / "report")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    (report,) = (tmp_path / "report").glob("bench-*-small.json")
    lanes = {lane["name"]: lane for lane in json.loads(report.read_text(encoding="utf-8"))["lanes"]}
    assert all(len(lane["seconds"]) == 1 and not lane["faults"] for lane in lanes.values()), lanes
    assert lanes.keys() >= {"duckdb by hand", "nextbasket, training build", "nextbasket, both builds", "pandas"}
    assert len({rows for lane in lanes.values() for rows in lane["rows"]}) == 1
    assert report.with_suffix(".md").read_text(encoding="utf-8").count("| 1.00 of") == 2
