"""Table definitions in Glue's form and back: storage descriptor, SerDe, classification, partition keys.

What a definition holds beyond Glue's own fields is kept in the table's parameters: as they are where Glue has no say,
and under ``nextbasket.…`` where a name of ours could meet one of Glue's. Tables that a Glue crawler or Athena made
are read as well: their parameters are shown as they stand.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from nextbasket.catalog.base import VIEW, Column, TableDefinition

PROPERTY = "nextbasket.property."
"""Before the name of each property that was set on a table read in place."""

LAKE = "nextbasket.lake"
"""The parameter of a view that says whose it is: it has no files whose place would tell."""

_VIRTUAL = "VIRTUAL_VIEW"
_ADDED = "nextbasket.added"
_OWNER = "nextbasket"
_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"

# Input format, output format and SerDe, as Glue's own crawlers write them.
_FORMATS = {
    "json": (_TEXT_INPUT, _TEXT_OUTPUT, "org.openx.data.jsonserde.JsonSerDe"),
    "parquet": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
    ),
    "avro": (
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
    ),
}


def to_glue(definition: TableDefinition, location: str, properties: Mapping[str, str]) -> dict[str, Any]:
    """Return Glue's TableInput of a table read in place, or of a view.

    ``location`` is the table's folder with its slash, or its one file; for a view it is the lake that it belongs to.
    """
    given = dict(definition.parameters)
    if definition.format == VIEW:
        return _view(definition, location, properties)
    added = {
        "classification": definition.format,
        "compressionType": given.get("compression", "none"),
        "typeOfData": "file",
        "EXTERNAL": "TRUE",
    }
    added = {name: value for name, value in added.items() if name not in given}
    return {
        "Name": definition.name,
        "Owner": _OWNER,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            **given,
            **added,
            _ADDED: ",".join(sorted(added)),
            **{f"{PROPERTY}{name}": value for name, value in properties.items()},
        },
        "PartitionKeys": [_glue_column(column) for column in definition.partition_keys],
        "StorageDescriptor": _descriptor(definition, location),
    }


def partition_input(table: Mapping[str, Any], values: list[str], location: str) -> dict[str, Any]:
    """Return Glue's PartitionInput: the table's storage descriptor at the partition's own location."""
    return {"Values": values, "StorageDescriptor": {**table["StorageDescriptor"], "Location": location}}


def from_glue(table: Mapping[str, Any], database: str) -> TableDefinition:
    """Return the definition of a Glue table that is read in place, also of one that another program made."""
    parameters = dict(table.get("Parameters", {}))
    descriptor = table.get("StorageDescriptor", {})
    is_view = table.get("TableType") == _VIRTUAL
    format = VIEW if is_view else parameters.get("classification") or _format_of(descriptor)
    hidden = {_ADDED, *parameters.get(_ADDED, "").split(",")}
    return TableDefinition(
        database=database,
        name=table["Name"],
        columns=tuple(_column(column) for column in descriptor.get("Columns", ())),
        location=descriptor.get("Location", "").rstrip("/"),
        format=format,
        partition_keys=tuple(_column(column) for column in table.get("PartitionKeys", ())),
        parameters={
            name: value for name, value in parameters.items() if name not in hidden and not name.startswith(PROPERTY)
        },
    )


def properties_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties that were set on a table read in place."""
    return {
        name.removeprefix(PROPERTY): value
        for name, value in table.get("Parameters", {}).items()
        if name.startswith(PROPERTY)
    }


def place_of(table: Mapping[str, Any]) -> str:
    """Return the URI that says in which lake a table lies."""
    parameters = table.get("Parameters", {})
    if is_iceberg(table):
        return str(parameters.get("metadata_location", ""))
    return str(parameters.get(LAKE) or table.get("StorageDescriptor", {}).get("Location", ""))


def is_iceberg(table: Mapping[str, Any]) -> bool:
    """Say whether a Glue table is an Iceberg table."""
    return str(table.get("Parameters", {}).get("table_type", "")).lower() == "iceberg"


def _view(definition: TableDefinition, lake: str, properties: Mapping[str, str]) -> dict[str, Any]:
    """Return a view as Athena keeps its own: the statement and the columns' types in Trino's words, as base64."""
    given = dict(definition.parameters)
    described = {
        "originalSql": given.get("view.statement", ""),
        "catalog": "awsdatacatalog",
        "schema": given.get("view.database") or definition.database,
        "columns": [{"name": column.name, "type": _trino_type(column.type)} for column in definition.columns],
    }
    encoded = base64.b64encode(json.dumps(described).encode()).decode()
    added = {"presto_view": "true", "comment": "Presto View", LAKE: lake}
    added = {name: value for name, value in added.items() if name not in given}
    return {
        "Name": definition.name,
        "Owner": _OWNER,
        "TableType": _VIRTUAL,
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {
            **given,
            **added,
            _ADDED: ",".join(sorted(added)),
            **{f"{PROPERTY}{name}": value for name, value in properties.items()},
        },
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": [_glue_column(column) for column in definition.columns], "Location": ""},
    }


def _trino_type(type_text: str) -> str:
    return exp.DataType.build(type_text, dialect="hive").sql(dialect="trino").lower()


def _descriptor(definition: TableDefinition, location: str) -> dict[str, Any]:
    given = definition.parameters
    descriptor: dict[str, Any] = {
        "Columns": [_glue_column(column) for column in definition.columns],
        "Location": location,
        "Compressed": given.get("compression", "none") != "none",
        "NumberOfBuckets": -1,
        "StoredAsSubDirectories": False,
    }
    if definition.format == "csv":
        delimiter, quote = given.get("delimiter", ","), given.get("quote", "")
        if quote:
            # LazySimpleSerDe knows no quotes; OpenCSVSerde does, reads UTF-8 only, and wants another sign to escape.
            serde, options = _OPEN_CSV, {"separatorChar": delimiter, "quoteChar": quote, "escapeChar": "\\"}
        else:
            serde, options = _LAZY, {"field.delim": delimiter, "serialization.format": delimiter}
            if given.get("encoding", "utf-8") != "utf-8":
                options["serialization.encoding"] = given["encoding"]
        formats = (_TEXT_INPUT, _TEXT_OUTPUT, serde)
    else:
        formats, options = _FORMATS.get(definition.format, ("", "", "")), {"serialization.format": "1"}
    if all(formats):
        descriptor["InputFormat"], descriptor["OutputFormat"] = formats[:2]
        descriptor["SerdeInfo"] = {"SerializationLibrary": formats[2], "Parameters": options}
    return descriptor


def _format_of(descriptor: Mapping[str, Any]) -> str:
    library = descriptor.get("SerdeInfo", {}).get("SerializationLibrary", "")
    if library in (_LAZY, _OPEN_CSV):
        return "csv"
    return next((format for format, parts in _FORMATS.items() if parts[2] == library), library or "unknown")


def _glue_column(column: Column) -> dict[str, str]:
    described = {"Name": column.name, "Type": column.type}
    return {**described, "Comment": column.comment} if column.comment else described


def _column(raw: Mapping[str, Any]) -> Column:
    return Column(raw["Name"], raw.get("Type", "string"), raw.get("Comment", ""))
