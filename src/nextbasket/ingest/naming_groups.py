"""Which name and which location each group of a folder's files has, the same at every crawl."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextbasket.catalog.base import TableDefinition
from nextbasket.ingest.grouping import Group, alike
from nextbasket.ingest.naming import table_name

_TAIL = re.compile(r"[-_. ]*[0-9][-_.T0-9]*$")


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group with its table's name; ``base`` is its location under the folder, ``""`` or ending in ``/``.

    ``main``: it has the folder's own name, and files that are new since the crawl belong to it.
    """

    name: str
    base: str
    group: Group
    main: bool


def named_groups(
    folder: str, groups: Sequence[Group], stored: Mapping[str, tuple[str, TableDefinition]], taken: frozenset[str]
) -> list[NamedGroup]:
    """Name the groups of a folder whose table name is ``folder``.

    ``stored`` holds the folder's known tables with their base under it; a group that is much like one of them keeps
    its name. Else the only group has the folder's name; of several, one with a subfolder of its own is named
    ``<folder>_<subfolder>``, the largest of the others has the folder's name and the rest that and the beginning of
    their files' names. ``taken`` are names of other folders' tables.
    """
    found: list[NamedGroup] = []
    left = list(groups)
    pairs = sorted(
        (
            (-_likeness(group, definition), name, base, at)
            for at, group in enumerate(groups)
            for name, (base, definition) in stored.items()
            if all(file.inside.startswith(base) for file in group.files) and _matches(group, definition)
        ),
    )
    for _, name, base, at in pairs:
        if groups[at] in left and name not in {one.name for one in found}:
            found.append(NamedGroup(name, base, groups[at], name == folder))
            left.remove(groups[at])
    subfolders = [_subfolder(group, groups) for group in groups]
    for group in left:
        used = {one.name for one in found} | taken
        own = subfolders[list(groups).index(group)]
        if len(groups) > 1 and own is not None:
            found.append(NamedGroup(_free(f"{folder}_{table_name(own)}", used), f"{own}/", group, main=False))
        elif folder not in used:
            found.append(NamedGroup(folder, "", group, main=True))
        else:
            found.append(NamedGroup(_free(f"{folder}_{_stem(group)}", used), "", group, main=False))
    return found


def _matches(group: Group, definition: TableDefinition) -> bool:
    # A column that the folders say is one of the files in a table whose files hold it, too.
    mine = frozenset(group.types())
    return alike(mine, frozenset(column.name for column in definition.columns) | (mine & _keys(definition)))


def _keys(definition: TableDefinition) -> frozenset[str]:
    return frozenset(column.name for column in definition.partition_keys)


def _likeness(group: Group, definition: TableDefinition) -> float:
    mine = set(group.types())
    theirs = {column.name for column in definition.columns}
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


def _subfolder(group: Group, groups: Sequence[Group]) -> str | None:
    """Return the plain folder that holds all files of this group and none of another."""
    tops = {file.folders[0] if file.folders else "" for file in group.files}
    top = next(iter(tops))
    if len(tops) > 1 or not top or "=" in top:
        return None
    shared = any(file.folders[:1] == (top,) for other in groups if other is not group for file in other.files)
    return None if shared else top


def _stem(group: Group) -> str:
    stems = {file.inside.rpartition("/")[2].partition(".")[0] for file in group.files}
    first, last = min(stems), max(stems)
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    common = first[: min(same, len(last))]
    shown = _TAIL.sub("", common).strip("-_. ")
    return table_name(shown) if shown else group.files[0].shape.format


def _free(wanted: str, used: set[str]) -> str:
    name, count = wanted, 1
    while name in used:
        count += 1
        name = f"{wanted}_{count}"
    return name
