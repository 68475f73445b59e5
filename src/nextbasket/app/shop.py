"""The one place where everything is wired together: a shop home and the parts that work on it."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from filelock import FileLock

from nextbasket.app.home import prepare_home
from nextbasket.app.settings import Settings, read_settings
from nextbasket.app.storage import Storage
from nextbasket.catalog.base import VIEW, Catalog, Scan, TableDefinition
from nextbasket.catalog.database import CatalogDatabase
from nextbasket.catalog.in_place import FORMS
from nextbasket.catalog.vacuum import Policy, Upkeep
from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.errors import NotFoundError, UsageError
from nextbasket.features.job import FeatureJob
from nextbasket.ingest.crawl import Crawler
from nextbasket.ingest.forget import Forgetter
from nextbasket.ingest.land import Landing
from nextbasket.ingest.load import Loader
from nextbasket.ingest.readable import ReadableFiles
from nextbasket.lake.base import Lake
from nextbasket.model.registry import Registry
from nextbasket.model.split import Split
from nextbasket.pipeline.steps import PIPELINE
from nextbasket.query.base import Limits, QueryEngine
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.history import QueryHistory
from nextbasket.query.ownership import Ownership
from nextbasket.query.readable import ReadableEngine
from nextbasket.query.sizes import bytes_of
from nextbasket.query.workgroup import Workgroup

_OWN_FOLDERS = (
    *("landing", "warehouse", "quarantine", "exchange", "models", "definitions"),
    *("scratch", "cache", "locks", "catalog.db"),
)


def now() -> datetime:
    """Return the time; the clock that all parts of a shop are given."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a fresh short id that sorts by time."""
    return f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def open_shop(home: Path, *, create: bool = False) -> "Shop":
    """Open the shop home; ``create`` makes one that is not there yet. Raises HomeError."""
    prepare_home(home, create=create)
    return Shop(home, read_settings(home))


class Shop:
    """One home and its parts, each made when it is first asked for."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home = home
        self.settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove this process's scratch files."""
        with suppress(OSError):  # another process of this home may still use the folder
            self.scratch.rmdir()

    @property
    def threads(self) -> int:
        """Worker threads: the setting, else the cores this process may use."""
        return self.settings.engine.threads or len(os.sched_getaffinity(0))

    @property
    def scratch(self) -> Path:
        """The folder for files that no one needs after a command."""
        return self.home / "scratch"

    @cached_property
    def storage(self) -> Storage:
        """The lake and the catalog that the settings name."""
        return Storage(self.home, self.settings, now)

    @property
    def lake(self) -> Lake:
        """Zones and files."""
        return self.storage.lake

    @property
    def catalog(self) -> Catalog:
        """Tables and commits."""
        return self.storage.catalog

    @cached_property
    def definitions(self) -> Definitions:
        """Recipes, queries and mappings: the home's own first."""
        return Definitions(self.home / "definitions")

    @cached_property
    def engine(self) -> QueryEngine:
        """The default query engine."""
        engine = DuckDBEngine(self.scratch, self.threads, self.settings.engine.memory_limit, self.storage.s3_files)
        return ReadableEngine(engine, self.readable_files)

    @cached_property
    def readable_files(self) -> ReadableFiles:
        """What an engine might read otherwise, as Parquet in the home's cache."""
        return ReadableFiles(self.lake, self.catalog)

    @cached_property
    def workgroup(self) -> Workgroup:
        """SQL on this home's tables."""
        settings = self.settings.query
        return Workgroup(
            self.catalog,
            self.engine,
            self.lake,
            clock=now,
            new_run_id=new_id,
            limits=Limits(settings.timeout_seconds, bytes_of(settings.memory_limit), bytes_of(settings.scan_limit)),
            ownership=Ownership(names=frozenset(name for step in PIPELINE for name in step.writes)),
            history=QueryHistory(CatalogDatabase(self.home / "catalog.db"), now, settings.history),
            locks=self.home / "locks",
            result_folder=settings.result_folder,
        )

    def workgroup_on(self, engine: str) -> Workgroup:
        """Return the workgroup on a named engine."""
        if engine == "duckdb":
            return self.workgroup
        if engine == "spark":
            from nextbasket.query.spark import SparkEngine

            return self.workgroup.with_engine(ReadableEngine(SparkEngine(self.scratch), self.readable_files))
        raise UsageError(f"there is no engine '{engine}'.")

    @cached_property
    def landing(self) -> Landing:
        """Copies files into the lake."""
        largest = int(self.settings.landing.largest_member_gb * 1e9)
        return Landing(self.lake, self.catalog, largest_member=largest, turn=partial(FileLock, self.home / "land.lock"))

    @cached_property
    def crawler(self) -> Crawler:
        """Finds tables in landed files."""
        return Crawler(self.lake, self.catalog, self.catalog, clock=now, policy=self.settings.crawler.policy())

    @cached_property
    def loader(self) -> Loader:
        """Loads landed files into typed tables."""
        turn = partial(FileLock, self.home / "load.lock")
        return Loader(self.lake, self.catalog, self.workgroup, self.definitions, turn=turn)

    @cached_property
    def features(self) -> FeatureJob:
        """Builds the feature tables."""
        return FeatureJob(self.workgroup, self.catalog, self.definitions)

    @cached_property
    def upkeep(self) -> Upkeep:
        """Expires old versions and deletes what nothing needs."""
        settings = self.settings.upkeep
        policy = Policy(
            older_than=timedelta(days=settings.snapshots_older_than_days),
            keep_last=settings.snapshots_keep_last,
            orphans_older_than=timedelta(hours=settings.orphans_older_than_hours),
        )
        return Upkeep(self.catalog, self.lake, self.scratch, policy, now)

    @cached_property
    def forgetter(self) -> Forgetter:
        """Takes every line of a shopper out of the home."""
        return Forgetter(self.home, self.lake, self.catalog, self.workgroup, self.definitions, now)

    def sweep_statements(self) -> int:
        """Delete the old files that killed statements left beside the tables; returns how many."""
        return len(self.workgroup.sweep(now() - timedelta(hours=self.settings.upkeep.orphans_older_than_hours)))

    @contextmanager
    def nobody_loading(self) -> Iterator[None]:
        """Hold off whoever lands or loads in this home."""
        with FileLock(self.home / "land.lock"), FileLock(self.home / "load.lock"):
            yield

    @cached_property
    def registry(self) -> Registry:
        """The trained models."""
        return Registry(self.home / "models")

    @cached_property
    def split(self) -> Split:
        """Which shoppers are held out of every training: always the same tenth."""
        return Split()

    def output_file(self, path: Path, *, source: Path | None = None) -> Path:
        """Return the absolute path of a file to write; raises UsageError where writing it would destroy data.

        That is inside the home's own folders, ``results`` excepted, and over the file that is read.
        """
        wanted = path.absolute().resolve()
        if source is not None and wanted == source.resolve():
            raise UsageError(f"the output {path} is the input itself; choose another file.")
        inside = wanted.relative_to(self.home.resolve()).parts if wanted.is_relative_to(self.home.resolve()) else ()
        if inside and inside[0] in _OWN_FOLDERS:
            raise UsageError(f"the output {path} lies in the home's own {inside[0]}/; choose a place outside it.")
        return wanted

    # --- looking -------------------------------------------------------------------------------------------------

    def statement(self, text: str) -> str:
        """Return a statement's text: as given, from ``@FILE``, or of the named query ``@NAME``."""
        if not text.startswith("@"):
            return text
        path = Path(text[1:])
        if path.is_file():
            return path.read_text(encoding="utf-8")
        if path.suffix or len(path.parts) > 1:
            raise NotFoundError(f"there is no file {path}.")
        return self.definitions.text(DefinitionKind.QUERIES, text[1:])

    def rows_of(self, table: str) -> int | None:
        """Return a table's rows as its files' footers say, or None where only reading would tell."""
        try:
            files = self.catalog.scan(table).files
        except NotFoundError:
            return None
        return sum(file.rows for file in files) if all(file.rows >= 0 for file in files) else None

    def list_tables(self) -> list[dict[str, Any]]:
        """Return all tables as JSON values: name, format, number of columns, rows, time of the last commit."""
        return [self._listed(definition) for definition in self.catalog.tables()]

    def _listed(self, definition: TableDefinition) -> dict[str, Any]:
        snapshots = self.catalog.snapshots(definition.full_name)
        return {
            "table": definition.full_name,
            "format": definition.format,
            "columns": len(definition.columns),
            "rows": self.rows_of(definition.full_name) if definition.format == "iceberg" else None,
            "at": snapshots[-1].at.isoformat(timespec="seconds") if snapshots else None,
        }

    def describe_table(self, name: str, history: int) -> dict[str, Any]:
        """Return one table as JSON values: schema, partitions, files, and its newest ``history`` snapshots."""
        full = name if "." in name else f"shop.{name}"
        definition = self.catalog.table(full)
        # A view has no files of its own.
        scan = Scan(full, VIEW, (), pa.schema([])) if definition.format == VIEW else self.catalog.scan(full)
        iceberg = definition.format == "iceberg"
        snapshots = list(reversed(self.catalog.snapshots(full)))[:history]
        properties: Mapping[str, str] = self.catalog.properties(full) if iceberg else definition.parameters
        return {
            "table": full,
            "format": definition.format,
            "location": definition.location,
            "schema": [{"name": column.name, "type": column.type} for column in definition.columns],
            "partition_keys": [key.name for key in definition.partition_keys],
            "partitions": [
                dict(values) for values in dict.fromkeys(tuple(p.items()) for p in scan.partitions.values())
            ],
            "rows": self.rows_of(full) if iceberg else None,
            "bytes": sum(file.bytes for file in scan.files),
            "files": [{"uri": file.uri, "rows": file.rows, "bytes": file.bytes} for file in scan.files],
            "snapshots": [
                {
                    "id": snapshot.id,
                    "at": snapshot.at.isoformat(timespec="seconds"),
                    "operation": snapshot.operation,
                    "run_id": snapshot.run_id,
                    "summary": dict(snapshot.summary),
                }
                for snapshot in snapshots
            ],
            "properties": {key: value for key, value in properties.items() if key != FORMS},
            "drift": [change.as_json() for change in self.crawler.history(full)][-history:],
        }
