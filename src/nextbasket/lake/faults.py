"""Turn the operating system's refusals into one clear sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextbasket.errors import HomeError

_SENTENCES = {
    errno.ENOSPC: "the disk is full: cannot {doing} {path}; free some space and run the same command again.",
    errno.EDQUOT: "the disk quota is used up: cannot {doing} {path}; free some space and run the same command again.",
    errno.EROFS: "the file system is read-only: cannot {doing} {path}; choose a writable home with --home.",
    errno.EACCES: "permission denied: cannot {doing} {path}; change the permissions or choose another home (--home).",
    errno.EPERM: "permission denied: cannot {doing} {path}; change the permissions or choose another home (--home).",
    errno.ENOTDIR: "cannot {doing} {path}: a part of this path is a file, not a folder; move that file away.",
    errno.ENAMETOOLONG: "cannot {doing} {path}: the name is too long for this file system; give it a shorter one.",
    errno.EMFILE: "too many open files: cannot {doing} {path}; raise the limit (ulimit -n) and try again.",
}


def home_error(error: OSError, doing: str, path: Path | str) -> HomeError | None:
    """Return the HomeError for a refusal that is the home's fault, None for any other OSError.

    ``doing`` is the verb of the sentence, for example ``write``.
    """
    sentence = _SENTENCES.get(error.errno or 0)
    return HomeError(sentence.format(doing=doing, path=path)) if sentence is not None else None


@contextmanager
def home_errors(doing: str, path: Path | str) -> Iterator[None]:
    """Raise HomeError for a full disk, a read-only file system or missing permissions inside the block."""
    try:
        yield
    except OSError as error:
        translated = home_error(error, doing, path)
        if translated is None:
            raise
        raise translated from error
