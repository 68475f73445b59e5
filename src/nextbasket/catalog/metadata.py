"""Read an Iceberg table's metadata file: schema, properties and snapshots, as plain values.

Parsing the JSON here takes a fraction of a millisecond and spares the readers (``tables``, ``snapshots``, every
query's planning) pyiceberg's second of import. Writing stays with pyiceberg. The fields are those of Iceberg's table
specification, version 2.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from nextbasket.catalog.base import Column, Snapshot
from nextbasket.catalog.types import map_of, to_text, with_field_id
from nextbasket.errors import HomeError, InputError, NotFoundError
from nextbasket.lake.base import Lake

_PRIMITIVES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot as the metadata file has it: the snapshot, its manifest list's URI, the schema it was written with."""

    snapshot: Snapshot
    manifest_list: str
    schema_id: int | None


@dataclass(frozen=True, slots=True)
class TableMetadata:
    """What one metadata file says about its table; ``uri`` is the file's own."""

    uri: str
    table: str
    uuid: str
    location: str
    properties: Mapping[str, str]
    schemas: Mapping[int, Mapping[str, Any]]
    current_schema_id: int
    partition_columns: tuple[str, ...]
    snapshots: tuple[StoredSnapshot, ...]
    current_snapshot_id: int | None
    history: tuple[tuple[datetime, int], ...]
    earlier_files: tuple[str, ...]

    def arrow_schema(self, schema_id: int | None = None) -> pa.Schema:
        """Return the current schema, or an earlier one, with field ids in the fields' metadata."""
        schema = self.schemas[self.current_schema_id if schema_id is None else schema_id]
        return pa.schema([_arrow_field(field, self.table) for field in schema["fields"]])

    def columns(self) -> tuple[Column, ...]:
        """Return the current columns with their Athena types and comments."""
        fields = self.schemas[self.current_schema_id]["fields"]
        return tuple(
            Column(field["name"], to_text(_arrow_type(field["type"], self.table)), field.get("doc", ""))
            for field in fields
        )

    def snapshot(self, snapshot_id: int | None) -> StoredSnapshot | None:
        """Return the snapshot of that id, None when there is none."""
        return next((stored for stored in self.snapshots if stored.snapshot.id == snapshot_id), None)

    def current(self) -> StoredSnapshot | None:
        """Return the current snapshot, None when nothing was committed yet."""
        return self.snapshot(self.current_snapshot_id)

    def version(self, snapshot_id: int | None, at: datetime | None) -> StoredSnapshot:
        """Return the snapshot of that id, else the one current at that time.

        Raises NotFoundError that names the latest snapshots, InputError for a time without a zone.
        """
        stored = self.snapshot(snapshot_id) if snapshot_id is not None else self.as_of(_aware(at))
        if stored is None:
            wanted = f"snapshot {snapshot_id}" if snapshot_id is not None else f"version at {at}"
            known = ", ".join(
                f"{known.snapshot.id} ({known.snapshot.at:%Y-%m-%d %H:%M:%S})" for known in self.snapshots[-5:]
            )
            raise NotFoundError(f"{self.table} has no {wanted}; its latest snapshots: {known or 'none'}.")
        return stored

    def as_of(self, at: datetime) -> StoredSnapshot | None:
        """Return the snapshot that was current at a time, None before the first or when it has expired."""
        ids = [snapshot_id for since, snapshot_id in self.history if since <= at]
        return self.snapshot(ids[-1]) if ids else None


def read_metadata(table: str, uri: str, lake: Lake) -> TableMetadata:
    """Read the metadata file of ``table`` at ``uri``; raises HomeError when it is missing or damaged."""
    try:
        raw = json.loads(_content(uri, lake))
        return _parse(table, uri, raw)
    except FileNotFoundError as error:
        raise HomeError(
            f"the metadata file of {table} is missing: {uri}; restore it, or drop the table and load it again."
        ) from error
    except (ValueError, KeyError) as error:
        raise HomeError(
            f"the metadata file of {table} is damaged: {uri}; restore it, or drop the table and load it again."
        ) from error


def _content(uri: str, lake: Lake) -> bytes:
    if "://" not in uri:
        return Path(uri).read_bytes()  # spares a command that only looks at tables the import of Arrow's file systems
    filesystem, path = lake.filesystem(uri)
    with filesystem.open_input_stream(path, compression=None) as stream:
        content: bytes = stream.read()
    return content


def _parse(table: str, uri: str, raw: Mapping[str, Any]) -> TableMetadata:
    current = raw.get("current-snapshot-id")
    schemas = {schema["schema-id"]: schema for schema in raw["schemas"]}
    names = {field["id"]: field["name"] for field in schemas[raw["current-schema-id"]]["fields"]}
    spec = next(spec for spec in raw["partition-specs"] if spec["spec-id"] == raw["default-spec-id"])
    return TableMetadata(
        uri=uri,
        table=table,
        uuid=raw["table-uuid"],
        location=raw["location"],
        properties=raw.get("properties", {}),
        schemas=schemas,
        current_schema_id=raw["current-schema-id"],
        partition_columns=tuple(
            names[field["source-id"]] for field in spec["fields"] if field["transform"] == "identity"
        ),
        snapshots=tuple(
            _snapshot(table, snapshot)
            for snapshot in sorted(raw.get("snapshots", ()), key=lambda item: item.get("sequence-number", 0))
        ),
        current_snapshot_id=None if current in (None, -1) else current,
        history=tuple((_time(entry["timestamp-ms"]), entry["snapshot-id"]) for entry in raw.get("snapshot-log", ())),
        earlier_files=tuple(entry["metadata-file"] for entry in raw.get("metadata-log", ())),
    )


def _snapshot(table: str, raw: Mapping[str, Any]) -> StoredSnapshot:
    summary = dict(raw.get("summary", {}))
    return StoredSnapshot(
        Snapshot(
            table=table,
            id=raw["snapshot-id"],
            parent_id=raw.get("parent-snapshot-id"),
            at=_time(raw["timestamp-ms"]),
            operation=summary.pop("operation", ""),
            summary=summary,
        ),
        raw["manifest-list"],
        raw.get("schema-id"),
    )


def _aware(at: datetime | None) -> datetime:
    if at is None or at.tzinfo is None:
        raise InputError(f"the time {at} has no zone; give one, for example 2024-05-01T12:00:00+00:00.")
    return at


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _arrow_field(raw: Mapping[str, Any], table: str) -> "pa.Field[Any]":
    return with_field_id(pa.field(raw["name"], _arrow_type(raw["type"], table)), raw["id"])


def _arrow_type(raw: Any, table: str) -> pa.DataType:
    if isinstance(raw, str):
        if data_type := _PRIMITIVES.get(raw):
            return data_type
        if decimal := _DECIMAL.fullmatch(raw):
            return pa.decimal128(int(decimal[1]), int(decimal[2]))
    elif raw["type"] == "list":
        return pa.list_(_part("element", raw["element"], raw["element-id"], table))
    elif raw["type"] == "map":
        key = _part("key", raw["key"], raw["key-id"], table).with_nullable(False)
        return map_of(key, _part("value", raw["value"], raw["value-id"], table))
    elif raw["type"] == "struct":
        return pa.struct([_arrow_field(field, table) for field in raw["fields"]])
    raise InputError(f"table {table} has a column of Iceberg's type {raw!r}, which nextbasket does not read.")


def _part(name: str, raw: Any, field_id: int, table: str) -> "pa.Field[Any]":
    return with_field_id(pa.field(name, _arrow_type(raw, table)), field_id)
