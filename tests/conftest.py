"""Fixtures that several rooms' tests need: AWS on loopback, a disk that fills up, a folder that cannot be written."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from .aws_server import AwsServer, aws_server


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsServer]:
    """Yield an AWS on loopback (moto); one for all tests, each with buckets of its own."""
    with aws_server() as server:
        yield server


def _mount(folder: Path, *options: str) -> bool:
    command = ["mount", *options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a file system of 1 MiB; skips where this user may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not _mount(folder, "-t", "tmpfs", "-o", "size=1m"):
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], AbstractContextManager[None]]]]:
    """Yield a folder and what makes it read-only for a block.

    Root may write whatever the permissions say, so for root the folder is a file system mounted read-only.
    """
    folder = tmp_path / "kept"
    folder.mkdir()
    root = os.geteuid() == 0
    if root and not _mount(folder, "-t", "tmpfs", "-o", "size=64m"):
        pytest.skip("needs the right to mount a tmpfs")

    @contextmanager
    def sealed() -> Iterator[None]:
        if root:
            assert _mount(folder, "-o", "remount,ro")
        else:
            _set_modes(folder, 0o555, 0o444)
        try:
            yield
        finally:
            if root:
                assert _mount(folder, "-o", "remount,rw")
            else:
                _set_modes(folder, 0o755, 0o644)

    yield folder, sealed
    if root:
        subprocess.run(["umount", str(folder)], check=True)


def _set_modes(folder: Path, of_folders: int, of_files: int) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(of_folders if path.is_dir() else of_files)
