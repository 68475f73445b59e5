"""Which landed files are new, and which of them correct an earlier one.

A file is known by its content. A name says which delivery a file is when it has a date or a number of six digits or
more (``orders_2026-11-22.csv``), or lies in a ``key=value`` folder; another content under such a name corrects the
former one and takes its place as if that had never been delivered. Other names (``orders.csv``) may come again with
other lines every day: there a line replaces the one of the same key, and nothing is withdrawn.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextbasket.catalog.base import IngestedFile
from nextbasket.ingest.naming import is_dated, without_hash
from nextbasket.lake.base import FileRef

_EMPTY = hashlib.sha256().hexdigest()


def delivery_name(key: str, sha256: str) -> str | None:
    """Return the name that says which delivery a landed file is, or None where its name does not say it.

    A file without a byte has none: it may be a broken upload, and corrects nothing.

    >>> delivery_name("orders/orders_2026-11-22-0123456789.csv", "0123456789abcdef")
    'orders/orders_2026-11-22.csv'
    >>> delivery_name("orders/orders.csv", "0123456789abcdef")
    """
    name = without_hash(key, sha256)
    return name if is_dated(name) and sha256 != _EMPTY else None


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file in landing, with its content's hash and the name of its delivery, if it has one."""

    ref: FileRef
    sha256: str

    @property
    def name(self) -> str | None:
        """See ``delivery_name``."""
        return delivery_name(self.ref.key, self.sha256)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a load finds for one table.

    ``new`` are the files to load, in the order of their delivery; ``replaced`` gives, by the place in ``new``, the key
    of the file that corrects one already. ``former`` are loaded files that new ones correct; ``others`` are all other
    loaded files that count, in the order they were loaded; ``lost`` the keys of those that landing no longer has.
    """

    new: tuple[LandedFile, ...] = ()
    replaced: Mapping[int, str] | None = None
    former: tuple[LandedFile, ...] = ()
    others: tuple[LandedFile, ...] = ()
    lost: tuple[str, ...] = ()


def arrivals(landed: Sequence[LandedFile], ledger: Sequence[IngestedFile]) -> Arrivals:
    """Compare the landed files of a table with what was loaded into it (oldest first)."""
    loaded: dict[tuple[str | None, str], str] = {}
    for entry in ledger:
        loaded.setdefault((delivery_name(entry.key, entry.sha256), entry.sha256), entry.key)
    contents = {sha256 for _, sha256 in loaded}
    names = {name for name, _ in loaded if name is not None}
    new: list[LandedFile] = []
    pairs = set(loaded)
    for file in sorted(landed, key=lambda file: (file.ref.modified, file.ref.key)):
        pair = (file.name, file.sha256)
        # A content that is known under another name is a renamed copy, unless it corrects what has this name.
        if pair in pairs or (file.sha256 in contents and file.name not in names):
            continue
        new.append(file)
        pairs.add(pair)
        contents.add(file.sha256)
        if file.name is not None:
            names.add(file.name)
    last = {file.name: file.ref.key for file in new if file.name is not None}
    replaced = {
        at: last[file.name] for at, file in enumerate(new) if file.name in last and last[file.name] != file.ref.key
    }
    # A key holds one content at a time: what it held before was overwritten in place.
    current = {pair[0] or key: pair for pair, key in loaded.items()}
    there = {file.sha256: file for file in landed}
    former, others, lost = [], [], []
    for (name, sha256), key in loaded.items():
        if current[name or key] != (name, sha256):
            continue
        if sha256 not in there:
            lost.append(key)
        elif name in last:
            former.append(there[sha256])
        else:
            others.append(there[sha256])
    return Arrivals(tuple(new), replaced, tuple(former), tuple(others), tuple(lost))


def that_count(landed: Sequence[LandedFile]) -> list[LandedFile]:
    """Return the landed files, in the order of their delivery, without those that a later one corrects."""
    files = sorted(landed, key=lambda file: (file.ref.modified, file.ref.key))
    last = {file.name: file for file in files if file.name is not None}
    return [file for file in files if file.name is None or last[file.name] is file]
