"""A run that is killed with SIGKILL anywhere loses nothing: the next run ends with an undisturbed run's tables."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .command import arguments, digests, environment, nextbasket

QUICK_KILLS = 10
SOAK_KILLS = 30


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills") / "source"
    nextbasket(folder.parent / "none", "sample", "--shoppers", "80", "--seed", "5", "--to", str(folder))
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path) -> tuple[Path, int]:
    """A home after one whole run, and how many lines of progress the run wrote."""
    home = source.parent / "undisturbed"
    done = nextbasket(home, "run", "--source", str(source))
    return home, len(done.stderr.splitlines())


def models(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.glob("models/*/*/model.ubj"))}


def kill_after(home: Path, source: Path, lines: int, pause: float) -> bool:
    """Start a run, kill it ``pause`` seconds after its line of progress number ``lines``; tell whether it was alive."""
    process = subprocess.Popen(
        arguments(home, "run", "--source", str(source)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        for _ in range(lines):
            if not process.stderr.readline():
                break
        try:
            process.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def check(seed: int, undisturbed: tuple[Path, int], source: Path, tmp_path: Path) -> str:
    """Kill one run at a seeded point, run again, compare with the undisturbed home; return what was done."""
    reference, lines = undisturbed
    random_source = random.Random(seed)  # noqa: S311 a test's seeded choice
    home = tmp_path / "home"
    point, pause = random_source.randint(1, lines), random_source.random() * 0.4
    killed = kill_after(home, source, point, pause)
    nextbasket(home, "run", "--source", str(source))
    assert digests(home) == digests(reference)
    assert models(home) == models(reference)
    return f"seed {seed}: {'killed' if killed else 'ended before the kill'} {pause:.2f} s after progress line {point}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(QUICK_KILLS))
def test_a_killed_run_ends_as_an_undisturbed_one(
    seed: int, undisturbed: tuple[Path, int], source: Path, tmp_path: Path
) -> None:
    check(seed, undisturbed, source, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills(undisturbed: tuple[Path, int], source: Path, tmp_path: Path, proof: Callable[[str], None]) -> None:
    proof("## Kills\n\nEach: one run killed with SIGKILL at a random moment, then run again; its tables and models")
    proof("equal those of an undisturbed run.\n")
    for seed in range(QUICK_KILLS, QUICK_KILLS + SOAK_KILLS):
        place = tmp_path / str(seed)
        place.mkdir()
        proof(f"- {check(seed, undisturbed, source, place)}: equal")
        shutil.rmtree(place)
    proof(f"\n{SOAK_KILLS} of {SOAK_KILLS} equal.\n")
