"""Which files of a folder are one table: those whose columns are much the same, wherever below the folder they lie.

Files with names for their columns belong together when they share more than half of their names, or when one has all
columns of the other (at least two). That goes from file to file: a table whose columns change little by little
over the years stays one. Files without a header belong to the group that has files of the same width whose types fit,
and are then read by position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from nextbasket.ingest.file_shape import FileShape
from nextbasket.ingest.typed_rows import TEXT_FORMS
from nextbasket.ingest.widen import common_type
from nextbasket.lake.base import FileRef


@dataclass(frozen=True, slots=True)
class CrawledFile:
    """A landed file with its shape; ``inside`` is its key under the crawled folder."""

    ref: FileRef
    inside: str
    shape: FileShape

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders between the crawled one and the file."""
        return tuple(self.inside.split("/")[:-1])


@dataclass
class Group:
    """Files of one table. ``columns`` of a file are those of its shape, unless ``renamed`` gives it names."""

    files: list[CrawledFile] = field(default_factory=list)
    renamed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def columns_of(self, file: CrawledFile) -> tuple[str, ...]:
        """Return the table's names of a file's columns, in the file's order."""
        return self.renamed.get(file.inside, file.shape.columns)

    def types(self) -> dict[str, str]:
        """Return the narrowest type of each column that holds what all files have, in order of appearance."""
        found: dict[str, dict[str, None]] = {}
        seen: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
        for file in self.files:
            columns = self.columns_of(file)
            if (columns, file.shape.types) in seen:
                continue
            seen.add((columns, file.shape.types))
            for name, kind in zip(columns, file.shape.types, strict=True):
                found.setdefault(name, {})[kind] = None
        return {name: common_type(list(kinds)) for name, kinds in found.items()}

    @property
    def size(self) -> tuple[int, int]:
        """(number of files, bytes)."""
        return len(self.files), sum(file.ref.size for file in self.files)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Say whether files with these columns are of one table."""
    shared = len(one & other)
    if 4 * shared > len(one) + len(other):
        return True
    return shared >= 2 and shared == min(len(one), len(other))


def groups_of(files: Sequence[CrawledFile]) -> list[Group]:
    """Return the groups that readable files form, each in the order of the files given; the largest group first."""
    named: dict[frozenset[str], int] = {}
    for file in files:
        if file.shape.named:
            named.setdefault(frozenset(file.shape.columns), len(named))
    parents = _joined(list(named))
    groups: dict[int, Group] = {}
    nameless: list[CrawledFile] = []
    for file in files:
        if file.shape.named:
            groups.setdefault(parents[named[frozenset(file.shape.columns)]], Group()).files.append(file)
        else:
            nameless.append(file)
    found = list(groups.values())
    _take_in(nameless, found)
    for group in found:
        group.files.sort(key=lambda file: file.inside)
    return sorted(found, key=lambda group: (-group.size[0], -group.size[1], group.files[0].inside))


def _joined(sets: Sequence[frozenset[str]]) -> list[int]:
    """Return for each set of names the number of its group: the first set that it is joined to."""
    parents = list(range(len(sets)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    for later in range(len(sets)):
        for earlier in range(later):
            one, other = root(earlier), root(later)
            if one != other and alike(sets[earlier], sets[later]):
                parents[max(one, other)] = min(one, other)
    return [root(at) for at in range(len(sets))]


def _take_in(nameless: Sequence[CrawledFile], groups: list[Group]) -> None:
    """Add files without names to the groups they fit, and make groups of the others."""
    known = [(group, _forms(group)) for group in sorted(groups, key=lambda group: group.size, reverse=True)]
    others: list[Group] = []
    for file in nameless:
        taken = any(_take(file, group, forms) for group, forms in known)
        if not taken:
            fitting = (one for one in others if _fit(one.files[0].shape, file.shape))
            place = next(fitting, None)
            if place is None:
                others.append(Group([file]))
            else:
                place.files.append(file)
    groups += others


def _take(file: CrawledFile, group: Group, forms: Sequence[FileShape]) -> bool:
    for form in forms:
        if len(form.columns) == len(file.shape.columns) and _fit(form, file.shape):
            group.files.append(file)
            group.renamed[file.inside] = form.columns
            return True
    return False


def _forms(group: Group) -> list[FileShape]:
    """Return a group's distinct shapes of text files, by names and types, the most frequent first."""
    counts: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    shapes: dict[tuple[tuple[str, ...], tuple[str, ...]], FileShape] = {}
    for file in group.files:
        if file.shape.format in TEXT_FORMS:
            form = (file.shape.columns, file.shape.types)
            counts[form] = counts.get(form, 0) + 1
            shapes.setdefault(form, file.shape)
    return [shapes[form] for form in sorted(counts, key=lambda form: -counts[form])]


def _fit(one: FileShape, other: FileShape) -> bool:
    """Say whether columns by position may be the same ones: none is text here and something else there."""
    pairs = [(left, right) for left, right in zip(one.types, other.types, strict=False) if left and right]
    return all((common_type(pair) == "string") == (pair == ("string", "string")) for pair in pairs)
