"""Search everything that is left in a home for a person, and say what no search can tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nextbasket.errors import NextbasketError
from nextbasket.ingest.forget_files import find
from nextbasket.ingest.forget_person import Finder, LandingMarks, Person
from nextbasket.ingest.forget_quarantine import QuarantinedLines
from nextbasket.ingest.forget_tables import Tables
from nextbasket.ingest.sources import is_data
from nextbasket.lake.base import FileRef, Lake, Zone

_SEARCHED = ("landing", "quarantine", "exchange", "results", "cache", "forgetting")
_TELLING = 6
"""The least length of an id that does not stand in other files by chance."""

_OWN = (
    "landing",
    "warehouse",
    "quarantine",
    "exchange",
    "results",
    "cache",
    "locks",
    "models",
    "forgetting",
    "scratch",
    "logs",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was searched, what is left, and what cannot be told.

    ``files`` and ``records`` were searched; ``left`` gives the person's records by file; ``unproven`` says in a
    sentence each what was not or cannot be searched.
    """

    files: int
    records: int
    left: Mapping[str, int] = field(default_factory=dict)
    unproven: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing was found."""
        return not self.left


class Prover:
    """Searches a home's files one by one; what it reads it reads as they stand now."""

    def __init__(self, home: Path, lake: Lake, finder: Finder, tables: Tables) -> None:
        self._home = home
        self._lake = lake
        self._finder = finder
        self._tables = tables

    def prove(self, person: Person, marks: LandingMarks) -> Proof:
        """Search every file of the home."""
        files = records = 0
        left: dict[str, int] = {}
        unproven: list[str] = [f"{one}." for one in marks.unclear]
        unmarked: set[str] = set()
        for zone in (Zone.LANDING, Zone.WAREHOUSE, Zone.EXCHANGE, Zone.RESULTS, Zone.CACHE):
            for ref in self._lake.list(zone):
                name = f"{zone}/{ref.key}"
                if zone is Zone.WAREHOUSE and not ref.key.endswith(".parquet"):
                    continue  # Iceberg's own metadata: paths, counts, and bounds of the files that are searched
                if not is_data(ref.key):
                    unproven.append(f"{name} is no table and was not searched.")
                    continue
                try:
                    landed = zone is Zone.LANDING
                    theirs = marks.of(ref) if landed else person.marks
                    found = find(self._lake, ref, theirs, (), marks.written(ref) if landed else None)
                except NextbasketError as error:
                    unproven.append(f"{name} cannot be searched: {error}")
                    continue
                files += 1
                if found is None:
                    if zone is not Zone.WAREHOUSE:
                        unmarked.add(_table(zone, ref))
                    continue
                records += found.searched
                if found.count:
                    left[name] = found.count
        for ref in self._lake.list(Zone.QUARANTINE, "waiting/"):
            files += 1
            waiting = find(self._lake, ref, person.marks)
            if waiting is not None and waiting.count:
                left[f"quarantine/{ref.key}"] = waiting.count
        lines = QuarantinedLines(self._lake, marks)
        for ref in lines.files():
            files += 1
            if count := lines.count(ref):
                left[f"quarantine/{ref.key}"] = count
        for origin, values in marks.origins:
            if self._finder.values(origin, values):
                left[f"landing/{origin.table} ({origin.column})"] = 1
        searched, named = self._bytes(person)
        files += searched
        left |= named
        if not _telling(person.shopper):
            unproven.append(
                "catalog.db, metadata, models and settings hold names, counts, weights and hashes; an id as short as "
                "this one cannot be told from other numbers in them."
            )
        if unmarked:
            unproven.append(
                f"{', '.join(sorted(unmarked))}: without a column user_id or order_id nothing in them says whose a "
                "line is."
            )
        unproven += self._standing()
        return Proof(files, records, left, tuple(unproven))

    def _bytes(self, person: Person) -> tuple[int, dict[str, int]]:
        """Search the bytes of all other files for an id that is long enough to mean nothing else."""
        left: dict[str, int] = {}
        searched = 0
        if not _telling(person.shopper):
            return searched, left
        wanted = person.shopper.encode()
        for path in sorted(self._home.rglob("*")):
            inside = path.relative_to(self._home)
            if inside.parts[0] in _SEARCHED or path.suffix in (".parquet", ".lock") or not path.is_file():
                continue
            searched += 1
            if _has(path, wanted):
                left[inside.as_posix()] = 1
        return searched, left

    def _standing(self) -> list[str]:
        """Return what holds for every forgetting."""
        found = []
        sums = [name for name in self._tables.without_people() if not name.startswith("shop.")]
        if sums:
            found.append(
                f"{', '.join(sums)} hold sums over all shoppers, this one among them, until 'nextbasket run' makes "
                "them anew."
            )
        if (self._home / "models").is_dir() and any((self._home / "models").iterdir()):
            found.append(
                "models/: a model holds no lines, but weights learned from all shoppers, this one among them; "
                "'nextbasket run' trains new ones, and older versions are deleted by deleting their folders."
            )
        scratch = self._home / "scratch"
        if scratch.is_dir() and any(scratch.iterdir()):
            found.append("scratch/ holds files of commands that are at work or were killed just now; run this again.")
        others = sorted(
            path.name for path in self._home.iterdir() if path.is_dir() and path.name not in (*_OWN, "definitions")
        )
        if others:
            found.append(f"{', '.join(f'{name}/' for name in others)}: not nextbasket's, and not searched.")
        found.append("Copies outside this home, exported files and backups among them, are beyond it.")
        return found


def _telling(text: str) -> bool:
    return len(text) >= _TELLING and not text.isdigit()


def _has(path: Path, wanted: bytes) -> bool:
    with path.open("rb") as file:
        rest = b""
        while block := file.read(1 << 20):
            if wanted in rest + block:
                return True
            rest = block[-len(wanted) :]
    return False


def _table(zone: Zone, ref: FileRef) -> str:
    return f"{zone}/{ref.key.partition('/')[0]}"
