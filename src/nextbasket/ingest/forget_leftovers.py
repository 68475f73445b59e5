"""What lies about in a home and may hold a person's lines: cut off uploads, scratch files, the query history."""

import shutil
from datetime import datetime
from pathlib import Path

from nextbasket.catalog.database import CatalogDatabase, has_table
from nextbasket.ingest.forget_files import words_of
from nextbasket.ingest.forget_person import Person
from nextbasket.lake.base import Zone
from nextbasket.lake.faults import home_errors


def delete_leftovers(home: Path, before: datetime) -> None:
    """Delete what killed commands left: uploads that were cut off, and of scratch what is older than ``before``.

    Nobody lands while somebody is forgotten; what is young in scratch may be in use by a query.
    """
    for path in (home / Zone.LANDING).rglob(".*.part"):
        with home_errors("delete", path):
            path.unlink(missing_ok=True)
    scratch = home / "scratch"
    with home_errors("clear", scratch):
        for entry in list(scratch.iterdir()) if scratch.is_dir() else []:
            files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else []
            if max(path.lstat().st_mtime for path in (entry, *files)) >= before.timestamp():
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)


def delete_statements(home: Path, person: Person) -> None:
    """Delete the statements of the query history that carry the person's id, or an order's, as a word."""
    database = CatalogDatabase(home / "catalog.db")
    if not database.exists():
        return
    words = words_of(person.marks)
    with database.writing() as connection:
        if not has_table(connection, "query_history"):
            return
        connection.execute("PRAGMA secure_delete=ON")
        rows = connection.execute("SELECT query_id, statement FROM query_history").fetchall()
        theirs = [(name,) for name, statement in rows if words.search(statement)]
        connection.executemany("DELETE FROM query_history WHERE query_id = ?", theirs)
