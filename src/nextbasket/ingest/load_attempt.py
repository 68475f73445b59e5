"""What one attempt to load works with, and what it knows of each table while it works."""

from dataclasses import dataclass, field

import ibis.expr.types as ir

from nextbasket.catalog.base import Catalog, Scan
from nextbasket.grocery.tables import LayoutTable
from nextbasket.ingest.checked import CheckedRows, Checker
from nextbasket.ingest.corrections import Arrivals
from nextbasket.ingest.deliveries import Delivery
from nextbasket.ingest.fates import FileFates
from nextbasket.ingest.forgotten import Forgotten
from nextbasket.ingest.forgotten_lines import ForgottenLines
from nextbasket.ingest.mapping import Mapping
from nextbasket.ingest.shop import Shop
from nextbasket.ingest.staging import Counted, Stager
from nextbasket.lake.base import Lake
from nextbasket.query.base import Inputs, QueryEngine


@dataclass
class TableLoad:
    """What one attempt knows about one table of the layout.

    ``deliveries`` are the files to load, opened, in the order of ``arrivals.new``; ``mapping`` is set where the table
    is made anew by one, ``mapped`` where it has one at all. ``again`` gives landing key and hash of files whose lines
    are taken up again, by negative file numbers. ``removed`` reads the values of the key's first column whose stored
    rows all leave the table, unless they are among the new ones. ``clean`` reads rows that are written already.
    """

    layout: LayoutTable
    arrivals: Arrivals = field(default_factory=Arrivals)
    deliveries: tuple[Delivery, ...] = ()
    mapping: Mapping | None = None
    mapped: bool = False
    counted: tuple[Counted, ...] = ()
    rows: CheckedRows | None = None
    clean: Scan | None = None
    clean_folder: str = ""
    paths: bool = False
    again: dict[int, tuple[str, str]] = field(default_factory=dict)
    removed: Scan | None = None
    fates: list[FileFates] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The table's name."""
        return self.layout.name

    @property
    def new(self) -> bool:
        """Whether there is anything to do for this table's own sake."""
        return bool(self.deliveries) or self.mapping is not None or self.rows is not None or self.removed is not None


class Attempt:
    """The parts an attempt works with, and the folders it has written."""

    def __init__(self, lake: Lake, catalog: Catalog, engine: QueryEngine, direct_from: int, run_id: str) -> None:
        self.lake = lake
        self.engine = engine
        self.shop = Shop(catalog)
        self.stager = Stager(lake, direct_from=direct_from)
        self.checker = Checker(engine, ForgottenLines(engine, Forgotten(catalog)))
        self.run_id = run_id
        self.notes: list[str] = []
        self._temporary: list[str] = []

    def temporary(self) -> str:
        """Return a fresh folder that is gone when the attempt ends."""
        folder = self.lake.staging(self.run_id)
        self._temporary.append(folder)
        return folder

    def lasting(self) -> str:
        """Return a fresh folder for data files; what is in it and part of no table is swept when it is old."""
        return self.lake.staging(self.run_id)

    def discard(self, folder: str) -> None:
        """Let a folder from ``lasting`` be gone when the attempt ends."""
        self._temporary.append(folder)

    def count(self, rows: ir.Table, inputs: Inputs) -> int:
        """Return how many rows an expression has."""
        return int(self.checker.one(rows.aggregate(n=rows.count()), inputs)["n"])

    def clean(self) -> None:
        """Remove what only this attempt needed."""
        for uri in self._temporary:
            zone, prefix = self.lake.locate(uri)
            for ref in list(self.lake.list(zone, f"{prefix}/")):
                self.lake.delete(ref)
