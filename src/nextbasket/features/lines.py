"""Feature lines as files: text/csv as a model container reads it."""

import os
import secrets
from pathlib import Path

from pyarrow import csv

from nextbasket.errors import HomeError
from nextbasket.query.base import QueryHandle


def write_lines(handle: QueryHandle, path: Path, *, header: bool) -> int:
    """Write a started query's rows as CSV, whole or not at all; returns the rows. A missing value is empty."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    rows = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            if header:
                # Arrow would quote the names.
                stream.write((",".join(handle.schema.names) + "\n").encode())
            with csv.CSVWriter(stream, handle.schema, write_options=options) as writer:
                for batch in handle.batches():
                    writer.write_batch(batch)
                    rows += batch.num_rows
        os.replace(part, path)  # noqa: PTH105 -- one call, atomic on one disk
    except OSError as error:
        raise HomeError(f"cannot write {path}: {error.strerror or error}; free the place or choose another.") from error
    finally:
        part.unlink(missing_ok=True)
    return rows
