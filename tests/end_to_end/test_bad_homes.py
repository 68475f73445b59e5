"""A home that cannot be used, or a disk that runs full, gets one sentence; the next run ends as it should."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import arguments, digests, environment, nextbasket

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "shop"
    nextbasket(folder.parent / "none", "sample", "--shoppers", "60", "--seed", "2", "--to", str(folder))
    return folder


@pytest.fixture(scope="module")
def reference(source: Path) -> dict[str, tuple[int, int]]:
    home = source.parent / "reference"
    nextbasket(home, "run", "--source", str(source))
    return digests(home)


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A tmpfs of its own with the options that the test names; skips where this user may not mount one."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def say_one_sentence(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("nextbasket: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


@pytest.mark.parametrize("mounted", ["size=64k,ro"], indirect=True)
def test_a_read_only_home(mounted: Path, source: Path) -> None:
    done = nextbasket(mounted, "run", "--source", str(source), status=1)
    assert "read-only" in say_one_sentence(done.stderr).lower()


def test_a_home_that_is_a_file(tmp_path: Path, source: Path) -> None:
    home = tmp_path / "file"
    home.write_text("no folder")
    done = nextbasket(home, "run", "--source", str(source), status=1)
    assert "is a file, not a folder" in say_one_sentence(done.stderr)


@pytest.mark.parametrize("mounted", ["size=700k", "size=3m"], indirect=True)
def test_a_full_disk_loses_nothing(mounted: Path, source: Path, reference: dict[str, tuple[int, int]]) -> None:
    """The disk is too small for one step or another; made larger, the same command ends like an undisturbed run."""
    home = mounted / "home"
    done = subprocess.run(
        arguments(home, "run", "--source", str(source)), capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 1, done.stderr[-3000:]
    sentence = say_one_sentence(done.stderr)
    assert "full" in sentence or "space" in sentence, sentence
    subprocess.run(["mount", "-o", "remount,size=400m", str(mounted)], check=True)
    nextbasket(home, "run", "--source", str(source))
    assert digests(home) == reference


def test_two_runs_at_once(tmp_path: Path, source: Path) -> None:
    home = tmp_path / "home"
    first = subprocess.Popen(
        arguments(home, "run", "--source", str(source)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    assert first.stderr is not None
    try:
        first.stderr.readline()  # the first line of progress: the run holds the home
        second = nextbasket(home, "run", "--source", str(source), status=1)
        assert "another nextbasket run is at work" in say_one_sentence(second.stderr)
        first.stderr.read()
        assert first.wait(timeout=200) == 0
    finally:
        first.stderr.close()
        if first.poll() is None:
            first.kill()
        first.wait()
