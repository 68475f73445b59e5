"""What a file may be called in every lake: names that all query engines take as they are, on every store."""

import re
from pathlib import PurePosixPath

from nextbasket.errors import InputError

PATTERN = re.compile(r"[*?\[\]{}]")
"""Signs that query engines take for a pattern."""


def check_key(key: str) -> None:
    """Raise InputError for a key that cannot name a file inside a zone."""
    parts = key.split("/")
    if not key or key.startswith("/"):
        raise InputError(f"{key!r} cannot be a key of the lake: it must be a relative path inside a zone.")
    if "\0" in key or any(part.startswith(".") or not part for part in parts):
        raise InputError(f"{key!r} cannot be a key of the lake: no part may be empty or start with a dot.")
    if PATTERN.search(key):
        raise InputError(
            f"{key!r} cannot be a key of the lake: query engines take the signs * ? [ ] {{ }} for a pattern."
        )
    if PurePosixPath(key).as_posix() != key or not encodes(key):
        raise InputError(f"{key!r} cannot be a key of the lake: write it as plain UTF-8 with single slashes.")


def encodes(text: str) -> bool:
    """Say whether a name is text that UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def run_folder(run_id: str) -> str:
    """Return a folder name for a run id, which may hold characters (":" above all) that some engine gives a meaning."""
    return re.sub(r"[^A-Za-z0-9_=.-]", "-", run_id).lstrip(".")[:100] or "run"
