"""A shop home: the folder that holds one shop's data, definitions, models and settings."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nextbasket.app.settings import FILE_NAME
from nextbasket.errors import HomeError

_SETTINGS = """# Settings of this shop; what is left out has its default. docs/settings.md lists them all.
# seed = 1
"""


def prepare_home(home: Path, *, create: bool) -> None:
    """Check that the home can be used; with ``create`` make the folder and a settings file when they are not there.

    Raises HomeError when it is not there, is no folder, or cannot be written.
    """
    if home.exists() and not home.is_dir():
        raise HomeError(f"{home} is a file, not a folder; choose another --home.")
    if not home.exists():
        if not create:
            raise HomeError(f"there is no shop home at {home}; 'nextbasket run' makes one, or name yours with --home.")
        try:
            home.mkdir(parents=True)
        except OSError as error:
            raise HomeError(f"cannot make the shop home {home}: {os.strerror(error.errno or 0)}.") from error
    if create:
        _check_writable(home)
        settings = home / FILE_NAME
        if not settings.exists():
            settings.write_text(_SETTINGS, encoding="utf-8")


def _check_writable(home: Path) -> None:
    probe = home / f".writable-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else os.strerror(error.errno or 0).lower()
        raise HomeError(f"cannot write to the shop home {home}: {reason}; free it or choose another --home.") from error


@contextmanager
def one_writer(home: Path) -> Iterator[None]:
    """Hold the home for a run: a second run at the same time gets a HomeError instead of mixing its work in."""
    lock = FileLock(home / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise HomeError(f"another nextbasket run is at work in {home}; wait until it has ended.") from error
    try:
        yield
    finally:
        lock.release()
