"""Where a file goes in landing: the table its name or folder says, and a key that is safe on every store."""

import re
from pathlib import PurePosixPath

from nextbasket.grocery.tables import LAYOUT, LINE_TABLES

_TABLES = frozenset((*LAYOUT, *LINE_TABLES))
_SUFFIX = re.compile(
    r"(\.(csv|tsv|txt|jsonl|ndjson|json))?(\.(gz|bz2|xz|zst|zip|parquet|avro|orc|xlsx|xlsb|xls|ods))?$", re.IGNORECASE
)
_NUMBERED = re.compile(r"^\d{1,8}$|^\d{4}-\d{2}(-\d{2})?$", re.ASCII)
_DATED = re.compile(r"^(.*?)[-_. ]*\d{4}-?\d{2}(-?\d{2})?([-_T]?\d{2,6})?$")


def names_a_table(name: str) -> bool:
    """Say whether a name is a table of the layout."""
    return table_name(name) in _TABLES


def table_name(text: str) -> str:
    """Return a catalog name for any text: lower case, with ``_`` for all but letters, digits and ``_``."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower()) or "_"


def landing_key(path: PurePosixPath, table: str | None = None) -> str:
    """Return ``<table>/[folders/]<file>`` for a file's path inside its source.

    The table is ``table`` if given; else the file's own name where that is a table of the layout (also with a date
    behind it: ``orders_2026-11-22.csv``); else the nearest folder that is no ``key=value`` and no number or date; else
    the file's name. Folders ``key=value`` are kept, and below a table's folder numbers and dates: they are partitions.

    >>> landing_key(PurePosixPath("instacart/orders.csv"))
    'orders/orders.csv'
    >>> landing_key(PurePosixPath("orders/day=2026-11-22/part-1.csv.gz"))
    'orders/day=2026-11-22/part-1.csv.gz'
    >>> landing_key(PurePosixPath("exports/sales/2026/11/22/a.csv"))
    'sales/2026/11/22/a.csv'
    """
    folders = path.parts[:-1]
    partitions = [part for part in folders if "=" in part]
    stem = _SUFFIX.sub("", path.name)
    dated = _DATED.match(stem)
    if table is not None:
        name = table_name(table)
    elif names_a_table(stem):
        name = table_name(stem)
    elif dated is not None and names_a_table(dated[1]):
        name = table_name(dated[1])
    else:
        named = [at for at, part in enumerate(folders) if "=" not in part and not _NUMBERED.match(part)]
        name = table_name(folders[named[-1]] if named else stem)
        below = folders[named[-1] + 1 :] if named else folders
        partitions = [*(part for part in partitions if part not in below), *below]
    file = re.sub(r"[^\w.=+@ -]", "_", path.name)
    return "/".join([name, *partitions, file])


def with_hash(key: str, sha256: str) -> str:
    """Return the key with a short piece of the content's hash before its suffix: another content of the same name."""
    folder, _, file = key.rpartition("/")
    match = _SUFFIX.search(file)
    at = match.start() if match is not None and match.group(0) else len(file)
    return f"{folder}/{file[:at]}-{sha256[:10]}{file[at:]}"


def without_hash(key: str, sha256: str) -> str:
    """Return the key that ``with_hash`` was given; a key without a piece of this hash comes back as it is."""
    folder, _, file = key.rpartition("/")
    match = _SUFFIX.search(file)
    at = match.start() if match is not None and match.group(0) else len(file)
    return f"{folder}/{file[:at].removesuffix(f'-{sha256[:10]}')}{file[at:]}"


def is_dated(key: str) -> bool:
    """Say whether a landing key tells which delivery it is: a date or long number at its end, a ``key=value`` folder.

    >>> is_dated("orders/orders_2026-11-22.csv"), is_dated("orders/day=1/part.csv"), is_dated("orders/orders.csv")
    (True, True, False)
    """
    _, *partitions, file = key.split("/")
    return _DATED.match(_SUFFIX.sub("", file)) is not None or any("=" in part for part in partitions)
