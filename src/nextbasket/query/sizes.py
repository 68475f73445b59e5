"""Sizes as people write them in settings: ``500MB``, ``1.5 GiB``."""

import re

from nextbasket.errors import UsageError

_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def bytes_of(size: str | None) -> int | None:
    """Return a size in bytes; None stays None. Raises UsageError for a text that is no size.

    >>> bytes_of("1.5 GiB")
    1610612736
    """
    if size is None:
        return None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s?([A-Za-z]+)", size.strip())
    if parts is None or parts[2].upper() not in _UNITS:
        raise UsageError(f"{size!r} is no size: write a number and MB, GB, TB, MiB, GiB or TiB.")
    return int(float(parts[1]) * _UNITS[parts[2].upper()])
