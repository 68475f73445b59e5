"""The files of a scan as one DuckDB SELECT: each group of files read as it is written, partition values beside them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nextbasket.catalog.base import NULL_PARTITION, Scan
from nextbasket.errors import InputError
from nextbasket.query import dialect
from nextbasket.query.duckdb_types import duckdb_type, literal, quoted
from nextbasket.query.file_forms import FileGroup, groups, partition_keys
from nextbasket.query.inputs import encoding, engine_path

_ENCODINGS = {
    "ascii": "utf-8",
    "iso8859-1": "latin-1",
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16",
}
_BY_NAME = ("parquet", "iceberg")


def select_files(scan: Scan, names_in: Callable[[str], Sequence[str]], *, with_path: bool) -> str:
    """Return a SELECT of the scan's columns, and of ``"$path"`` if asked for.

    ``names_in`` returns the columns of a table function's call: which of its columns a Parquet file has, only the file
    can say. A column that a file lacks is NULL. Raises InputError for a format or encoding that cannot be read.
    """
    types = {field.name: duckdb_type(field.type) for field in scan.schema}
    if not scan.files:
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in types.items())
        path = f", CAST(NULL AS VARCHAR) AS {quoted(dialect.PATH_COLUMN)}" if with_path else ""
        return f"SELECT {columns}{path} WHERE false"
    keys = partition_keys(scan)
    return " UNION ALL ".join(
        _Reading(group, types, keys).select(names_in, with_path=with_path) for group in groups(scan)
    )


class _Reading:
    """How DuckDB reads one group of files."""

    def __init__(self, group: FileGroup, types: Mapping[str, str], keys: Sequence[str]) -> None:
        self._group = group
        self._scan = group.scan
        self._paths = [engine_path(uri) for uri in group.uris]
        self._types = types
        self._keys = keys

    def select(self, names_in: Callable[[str], Sequence[str]], *, with_path: bool) -> str:
        source = self._reader()
        if self._scan.format in _BY_NAME:
            present = {name.lower() for name in names_in(f"{source}, hive_partitioning=false)")}
        else:
            present = set(self._group.columns)
        # DuckDB finds Hive's folders by itself and then reads only those that a filter leaves; plain folders, and keys
        # that the files hold as columns, too, are given file by file.
        by_itself = bool(self._keys) and not present & set(self._keys) and self._in_hive_folders()
        listed = bool(self._keys) and not by_itself
        if by_itself:
            kinds = ", ".join(f"{quoted(key)}: {self._types[key]}" for key in self._keys)
            source += f", hive_partitioning=true, hive_types={{{kinds}}}"
        else:
            source += ", hive_partitioning=false"
        if with_path or listed:
            source += ", filename=" + literal(dialect.PATH_COLUMN)
        columns = ", ".join(
            f"CAST({self._value(name, present, listed=listed)} AS {kind}) AS {quoted(name)}"
            for name, kind in self._types.items()
        )
        path = f", {self._path()} AS {quoted(dialect.PATH_COLUMN)}" if with_path else ""
        beside = f" AS f JOIN {self._values()} ON f.{quoted(dialect.PATH_COLUMN)} = p.file" if listed else ""
        return f"SELECT {columns}{path} FROM {source}){beside}"  # noqa: S608 (quoted above)

    def _value(self, name: str, present: set[str], *, listed: bool) -> str:
        if name in self._keys:
            return f"p.{quoted(name)}" if listed else quoted(name)
        if name.lower() not in present:
            return "NULL"
        return f"f.{quoted(name)}" if listed else quoted(name)

    def _path(self) -> str:
        """Return the file a row comes from: where that was made from another one, the other one."""
        column = quoted(dialect.PATH_COLUMN)
        sources = [self._scan.sources.get(uri) for uri in self._group.uris]
        if not any(sources):
            return column
        listed = ", ".join(map(literal, self._paths))
        meant = ", ".join(literal(source or path) for source, path in zip(sources, self._paths, strict=True))
        return f"[{meant}][list_position([{listed}], {column})]"

    def _values(self) -> str:
        """Return the partition values of each file as a table p(file, key…)."""
        rows = []
        for uri, path in zip(self._group.uris, self._paths, strict=True):
            values = [self._scan.partitions.get(uri, {}).get(key, NULL_PARTITION) for key in self._keys]
            given = ", ".join("NULL" if value == NULL_PARTITION else literal(value) for value in values)
            rows.append(f"({literal(path)}, {given})")
        return f"(VALUES {', '.join(rows)}) AS p(file, {', '.join(map(quoted, self._keys))})"

    def _in_hive_folders(self) -> bool:
        for path in self._paths:
            folders = [part.partition("=")[0] for part in Path(path).parts[:-1] if "=" in part]
            if len(set(folders)) != len(folders) or not set(self._keys) <= set(folders):
                return False
        return True

    def _reader(self) -> str:
        """Return a table function call without its closing parenthesis, so that options can follow."""
        files = "[" + ", ".join(map(literal, self._paths)) + "]"
        if self._scan.format in _BY_NAME:
            # Files made from landed ones all have the table's columns: only the first need be asked.
            alike = all(uri in self._scan.sources for uri in self._group.uris)
            return f"read_parquet({files}, union_by_name={'false' if alike else 'true'}"
        # What a file holds under a partition key's name is read over: the folder says the value.
        kinds = {name if name not in self._keys else f"file {name}": self._kind(name) for name in self._group.columns}
        columns = "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in kinds.items()) + "}"
        given = self._scan.parameters
        compression = literal(given.get("compression", "none"))
        if self._scan.format == "json":
            return f"read_json({files}, columns={columns}, format='newline_delimited', compression={compression}"
        if self._scan.format != "csv":
            raise InputError(f"{self._scan.table} has the format {self._scan.format!r}, which cannot be read.")
        quote = literal(given.get("quote", '"'))
        return (
            f"read_csv({files}, columns={columns}, auto_detect=false, strict_mode=true, null_padding=false, "
            f"header={'true' if given.get('skip.header.line.count', '0') != '0' else 'false'}, "
            f"delim={literal(given.get('delimiter', ','))}, quote={quote}, escape={quote}, "
            f"encoding={literal(encoding(self._scan, _ENCODINGS))}, compression={compression}"
        )

    def _kind(self, name: str) -> str:
        return "VARCHAR" if name in self._keys else self._types.get(name, "VARCHAR")
