"""Run a command with limits and measure it from outside: wall seconds, peak memory with all child processes."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """What one command used. ``outcome`` is ``done``, or in words why it did not end well."""

    seconds: float
    peak_gb: float
    outcome: str
    output: str

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.outcome == "done"


def memory_gb(field: str) -> float:
    """Return a field of /proc/meminfo (``MemTotal``, ``MemAvailable``) in GB."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise LookupError(f"/proc/meminfo has no {field}")


def measure(
    command: Sequence[str], *, limit_seconds: float, limit_gb: float, log: Path, environment: Mapping[str, str]
) -> Measured:
    """Run the command in a session of its own and stop it, children included, when it passes a limit.

    Memory is the sum of the resident sets of all its processes (pages that they share count in each), sampled twenty
    times a second. Its stderr goes to ``log``.
    """
    with log.open("ab") as errors, log.with_suffix(".out").open("w+b") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(command), stdout=output, stderr=errors, start_new_session=True, env=dict(environment)
        )
        watch = _Watch(process.pid, limit_gb)
        watch.start()
        stopped = None
        try:
            status = process.wait(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            stopped = f"stopped after {limit_seconds:.0f} s"
        finally:
            seconds = time.perf_counter() - start
            watch.end()
            _kill(process.pid)
            status = process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if watch.over:
        stopped = f"out of memory: stopped above {limit_gb:.3g} GB"
    elif stopped is None and status:
        stopped = f"failed: {_last_line(log)}" if status > 0 else f"killed by {signal.Signals(-status).name}"
    return Measured(seconds, watch.peak / 1e9, stopped or "done", text)


class _Watch(threading.Thread):
    """Follows the memory of a process and all that descend from it."""

    def __init__(self, root: int, limit_gb: float) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._limit = limit_gb * 1e9
        self._ended = threading.Event()
        self.peak = 0
        self.over = False

    def run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.peak = max(self.peak, resident_bytes(self._root))
            if self.peak > self._limit:
                self.over = True
                _kill(self._root)
                return

    def end(self) -> None:
        self._ended.set()
        self.join()


def resident_bytes(root: int) -> int:
    """Return the resident bytes of all processes in the root's session or descending from it."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    family = {root}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            # The second field is the program's name in brackets and may hold spaces.
            fields = (
                Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
        except OSError:  # it ended while we looked
            continue
        parents[int(entry)] = int(fields[1])
        resident[int(entry)] = int(fields[21]) * PAGE
        if int(fields[3]) == root:
            family.add(int(entry))
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family} - family
        family |= children
        grown = bool(children)
    return sum(resident.get(pid, 0) for pid in family)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:  # all of it has ended
        return


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"
