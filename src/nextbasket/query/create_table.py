"""``CREATE TABLE … AS SELECT``: which table its properties ask for."""

from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from nextbasket.errors import NotBuiltError, QueryError
from nextbasket.query import dialect
from nextbasket.query.kinds import CreateTableAs
from nextbasket.query.tokens import blank

_FORMATS = {"parquet": "parquet", "textfile": "csv", "csv": "csv", "json": "json"}
_COMPRESSIONS = frozenset({"none", "snappy", "gzip", "zstd", "lz4", "uncompressed"})
_COMPRESSION_PROPERTIES = ("write_compression", "parquet_compression", "compression_level")
_INSTEAD = {
    "bucketed_by": "leave it out: rows are found by the statistics inside the files",
    "bucket_count": "leave it out: rows are found by the statistics inside the files",
    "orc_compression": "use format = 'PARQUET'",
    "optimize_rewrite_data_file_threshold": "leave it out",
    "optimize_rewrite_delete_file_threshold": "leave it out",
    "vacuum_min_snapshots_to_keep": "leave it out: the home's settings say how long snapshots are kept",
    "vacuum_max_snapshot_age_seconds": "leave it out: the home's settings say how long snapshots are kept",
}
_KNOWN = "format, external_location, partitioned_by, write_compression, table_type, is_external, location, partitioning"


@dataclass(frozen=True, slots=True)
class _Properties:
    format: str = "parquet"
    iceberg: bool = False
    external: bool | None = None
    external_location: str | None = None
    location: str | None = None
    partitioned_by: tuple[str, ...] = ()
    partitioning: tuple[str, ...] = ()


def read_create_table(text: str, tokens: list[Token], split: int) -> CreateTableAs:
    """Return what CREATE TABLE AS asks for; ``split`` is the place of its AS among the tokens.

    Raises QueryError for a property that is not there or does not fit, NotBuiltError for one of Athena's that is not
    kept, with what to use instead.
    """
    token, body = tokens[split], tokens[split + 1 :]
    with_data = True
    ending = [token.text.lower() for token in body[-3:]]
    if ending == ["with", "no", "data"]:
        with_data, body = False, body[:-3]
    elif ending[1:] == ["with", "data"]:
        body = body[:-2]
    if not body:
        raise dialect.error_at(text, "CREATE TABLE … AS needs a SELECT after AS.", token.start)
    created = dialect.parse(text[: token.start] + "AS SELECT 1")
    if not isinstance(created, exp.Create) or not isinstance(created.this, exp.Table):
        raise dialect.error_at(
            text, "the columns of CREATE TABLE … AS are named in its SELECT: write SELECT x AS name.", 0
        )
    properties = created.args.get("properties")
    found = _Properties()
    for item in properties.expressions if properties is not None else []:
        found = _with(text, item, found)
    _check(text, found)
    return CreateTableAs(
        table=dialect.table_name(created.this),
        select=blank(text, body[0].start, body[-1].end + 1),
        external_location=found.external_location,
        partitioned_by=found.partitioned_by or found.partitioning,
        if_not_exists=bool(created.args.get("exists")),
        with_data=with_data,
        format=found.format,
        iceberg=found.iceberg,
    )


def _with(text: str, item: exp.Expr, found: _Properties) -> _Properties:
    name = _name(item)
    offset = dialect.identifier_offset(text, name)
    value = item.args.get("value") if isinstance(item, exp.Property) and "value" in item.args else None
    value = value if isinstance(value, exp.Expr) else item.this
    word = value.name.lower()
    if name == "format":
        if word not in _FORMATS:
            raise NotBuiltError(f"the format {word.upper()} (instead: PARQUET, JSON or TEXTFILE)")
        return replace(found, format=_FORMATS[word])
    if name == "table_type":
        if word not in ("iceberg", "hive"):
            raise dialect.error_at(text, "table_type is 'HIVE' or 'ICEBERG'.", offset)
        return replace(found, iceberg=word == "iceberg")
    if name == "is_external":
        return replace(found, external=value.this is True if isinstance(value, exp.Boolean) else word == "true")
    if name == "external_location":
        return replace(found, external_location=str(value.name))
    if name == "location":
        return replace(found, location=str(value.name))
    if name in ("partitioned_by", "partitioning"):
        names = tuple(part.name.lower() for part in value.expressions)
        if any(not part.replace("_", "").isalnum() for part in names):
            raise NotBuiltError("partitioning by a transform (instead: a column of its own that holds the value)")
        return replace(found, partitioned_by=names) if name == "partitioned_by" else replace(found, partitioning=names)
    if name in _COMPRESSION_PROPERTIES:
        if name != "compression_level" and word not in _COMPRESSIONS:
            raise dialect.error_at(text, f"there is no compression {value.name!r}: use ZSTD, or leave it out.", offset)
        return found
    if name == "field_delimiter":
        if value.name != ",":
            raise dialect.error_at(text, "text is written with commas: leave field_delimiter out.", offset)
        return found
    if name in _INSTEAD:
        raise NotBuiltError(f"CREATE TABLE AS with the property {name} (instead: {_INSTEAD[name]})")
    raise dialect.error_at(text, f"CREATE TABLE AS knows no property {name!r}: there are {_KNOWN}.", offset)


def _name(item: exp.Expr) -> str:
    if isinstance(item, exp.FileFormatProperty):
        return "format"
    if isinstance(item, exp.LocationProperty):
        return "location"
    if isinstance(item, exp.PartitionedByProperty):
        return "partitioned_by"
    return item.name.lower() or item.key.lower()


def _check(text: str, found: _Properties) -> None:
    if found.iceberg:
        if found.external:
            raise QueryError("an Iceberg table is kept in the warehouse: write is_external = false.")
        if found.external_location is not None:
            raise dialect.error_at(
                text,
                "an Iceberg table has its place in the warehouse: leave external_location out.",
                dialect.identifier_offset(text, "external_location"),
            )
        if found.format != "parquet":
            raise QueryError("an Iceberg table holds Parquet: leave format out.")
        if found.partitioned_by:
            raise dialect.error_at(
                text,
                "an Iceberg table is partitioned by partitioning = ARRAY['column'].",
                dialect.identifier_offset(text, "partitioned_by"),
            )
        return
    if found.location is not None or found.partitioning:
        used = "location" if found.location is not None else "partitioning"
        raise dialect.error_at(
            text,
            f"{used} belongs to table_type = 'ICEBERG'; a table of files takes external_location and partitioned_by.",
            dialect.identifier_offset(text, used),
        )
    if found.external is False:
        raise QueryError("is_external = false belongs to table_type = 'ICEBERG': leave it out.")
    if found.format != "parquet" and found.partitioned_by:
        raise NotBuiltError(f"partitions of {found.format} files (instead: format = 'PARQUET')")
