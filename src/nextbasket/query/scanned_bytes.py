"""How many bytes a statement will read, known before it runs: the columns it names, in the files that were planned."""

from collections.abc import Mapping, Set

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from nextbasket.catalog.base import DataFile, Scan

FOOTERS = 256
"""At most so many Parquet footers of a table are read; of more files the share of the columns is taken from these."""


def planned_bytes(tree: exp.Expr | None, scans: Mapping[str, Scan]) -> int:
    """Return the bytes of the columns a resolved statement reads; all columns where that cannot be told.

    Text files are read whole. In Parquet a column counts with its compressed size, as Athena counts it.
    """
    columns = columns_read(tree, scans) if tree is not None else {}
    return sum(_bytes(scan, columns.get(key)) for key, scan in scans.items())


def columns_read(tree: exp.Expr, scans: Mapping[str, Scan]) -> dict[str, Set[str]]:
    """Return the columns that a resolved statement reads of each scan, in lower case; raises nothing.

    A scan that is left out may be read whole.
    """
    nested: dict[str, dict[str, object]] = {}
    for key, scan in scans.items():
        database, _, name = key.rpartition(".")
        nested.setdefault(database or "main", {})[name] = {field.name.lower(): "unknown" for field in scan.schema}
    schema = MappingSchema(dict(nested), dialect="trino")
    try:
        copy = qualify(tree.copy(), schema=schema, dialect="trino", validate_qualify_columns=False, identify=False)
        scopes = traverse_scope(pushdown_projections(copy))
    except (SqlglotError, RecursionError):
        return {}
    found: dict[str, set[str]] = {}
    unclear: set[str] = set()
    for scope in scopes:
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table):
                continue
            key = f"{source.db}.{source.name}" if source.db not in ("", "main") else source.name
            names = found.setdefault(key, set())
            for column in scope.columns:
                if column.table == alias:
                    names.add(column.name.lower())
                elif not column.table:
                    unclear.add(key)
            if scope.expression.is_star:
                unclear.add(key)
    return {key: names for key, names in found.items() if key not in unclear}


def _bytes(scan: Scan, columns: Set[str] | None) -> int:
    whole = sum(file.bytes for file in scan.files)
    if columns is None or scan.format not in ("parquet", "iceberg") or not whole:
        return whole
    step = -(-len(scan.files) // FOOTERS)
    looked = scan.files[::step]
    read = sum(_column_bytes(file, columns) for file in looked)
    if len(looked) == len(scan.files):
        return read
    return round(read * whole / max(1, sum(file.bytes for file in looked)))


def _column_bytes(file: DataFile, columns: Set[str]) -> int:
    if "://" in file.uri:
        # Arrow alone knows neither the lake's endpoint nor its credentials: a file on S3 counts whole.
        return file.bytes
    try:
        footer = pq.read_metadata(file.uri)
    except (OSError, pa.ArrowException):
        # The engine says what is wrong with the file; here it counts whole.
        return file.bytes
    total = 0
    for group in range(footer.num_row_groups):
        chunks = footer.row_group(group)
        for position in range(footer.num_columns):
            chunk = chunks.column(position)
            if chunk.path_in_schema.split(".")[0].lower() in columns:
                total += chunk.total_compressed_size
    return total
