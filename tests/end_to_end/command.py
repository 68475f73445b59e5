"""Start the real command in a process of its own, and read what a home holds without it."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without a home of its own."""
    return {key: value for key, value in os.environ.items() if key != "NEXTBASKET_HOME"} | more


def arguments(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "nextbasket", "--home", str(home), *words]


def nextbasket(home: Path, *words: str, status: int = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and check its exit status."""
    done = subprocess.run(
        arguments(home, *words), capture_output=True, text=True, timeout=timeout, env=environment(), check=False
    )
    assert done.returncode == status, f"{words}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def digests(home: Path) -> dict[str, tuple[int, int]]:
    """Return (rows, digest that does not depend on their order) of every Iceberg table of a home."""
    from datetime import UTC, datetime

    from nextbasket.catalog.local import LocalCatalog
    from nextbasket.lake.local import LocalLake

    def clock() -> datetime:
        return datetime.now(UTC)

    catalog = LocalCatalog(home, LocalLake(home, clock), clock)
    found = {}
    for definition in catalog.tables():
        if definition.format != "iceberg":
            continue
        files = [file.uri for file in catalog.scan(definition.full_name).files]
        if not files:
            found[definition.full_name] = (0, 0)
            continue
        with duckdb.connect() as connection:
            ((rows, digest),) = connection.execute(
                "SELECT count(*), sum(hash(t)::HUGEINT) FROM read_parquet($files, union_by_name = true) AS t",
                {"files": files},
            ).fetchall()
        found[definition.full_name] = (rows, int(digest))
    return found
