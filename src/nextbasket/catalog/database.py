"""The catalog's SQLite file: definitions of tables read in place, the ingest ledger, commits, and a small state table.

The same file holds pyiceberg's own two tables. It is in WAL mode, so readers never wait for a writer.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from nextbasket.errors import HomeError

BUSY_SECONDS = 60.0
"""How long a statement waits for another writer's transaction."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS table_definitions (
    database TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    properties TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (database, name)
);
CREATE TABLE IF NOT EXISTS commits (
    table_name TEXT NOT NULL,
    snapshot_id INTEGER NOT NULL,
    run_id TEXT,
    parent_id INTEGER,
    at_ms INTEGER NOT NULL,
    operation TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (table_name, snapshot_id)
);
CREATE INDEX IF NOT EXISTS commits_by_run ON commits (table_name, run_id);
CREATE TABLE IF NOT EXISTS ingest_ledger (
    sha256 TEXT NOT NULL,
    table_name TEXT NOT NULL,
    key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    snapshot_id INTEGER NOT NULL,
    at TEXT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (sha256, table_name, key, snapshot_id)
);
CREATE INDEX IF NOT EXISTS ingest_ledger_by_table ON ingest_ledger (table_name, at);
CREATE TABLE IF NOT EXISTS ledger_position (
    table_name TEXT PRIMARY KEY,
    metadata_location TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS plans (
    table_name TEXT PRIMARY KEY,
    manifest_list TEXT NOT NULL,
    files TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
"""
_VERSION = 1


class CatalogDatabase:
    """Short connections to ``path``; each method's work is one transaction.

    A connection lives for one block: none is shared between threads or inherited by a forked process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complete = False

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._path

    def exists(self) -> bool:
        """Say whether the file is there with all its tables; raises HomeError for one of a newer nextbasket."""
        if self._complete:
            return True
        if not self._path.is_file():
            return False
        with self.reading() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise HomeError(f"{self._path} was written by a newer nextbasket; update this one to open it.")
        self._complete = version == _VERSION
        return self._complete

    def create(self) -> None:
        """Create the file and its tables; does nothing to those that are there."""
        with self._errors(), closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as connection:
            # Switching a new file to WAL is the one statement that does not honour the busy timeout.
            deadline = time.monotonic() + BUSY_SECONDS
            while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                except sqlite3.OperationalError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={_VERSION};COMMIT;")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a read-only connection; works in a home that cannot be written."""
        with self._errors(), closing(self._open_read_only()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside one write transaction, committed when the block ends well."""
        with self._errors(), closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as connection:
            connection.isolation_level = None
            # What is written here beside Iceberg's row can be rebuilt or is written again; no wait for the disk.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open_read_only(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            # A database in WAL mode needs its -shm file, which cannot be made in a folder without write permission or
            # on a full disk. Where the -wal file is empty or gone the main file is complete as it stands.
            wal = Path(f"{self._path}-wal")
            if wal.exists() and wal.stat().st_size > 0:
                raise
            return sqlite3.connect(f"{uri}&immutable=1", uri=True)
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            translated = database_error(error, self._path)
            if translated is None:
                raise
            raise translated from error


def database_error(error: sqlite3.DatabaseError, path: Path) -> HomeError | None:
    """Return the HomeError for a refusal that is the home's fault, None for any other error of SQLite."""
    text = str(error)
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return HomeError(
            f"cannot open {path} for this: the shop home is read-only or not there; change its permissions or choose "
            "another home (--home)."
        )
    if "disk is full" in text or "disk I/O error" in text:
        return HomeError(
            f"the disk is full or failing: cannot write {path}; free some space and run the same command again."
        )
    if "locked" in text:
        return HomeError(f"{path} stayed locked for {BUSY_SECONDS:.0f} s by another program; close it and try again.")
    if "not a database" in text or "malformed" in text:
        return HomeError(f"{path} is damaged or not a catalog; restore it from a copy, or move it away and load again.")
    return None


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Say whether the database has a table of that name."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None
