"""What SHOW, DESCRIBE and their like answer: small tables with Athena's column names."""

import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from nextbasket.catalog.base import ICEBERG, VIEW, Column, Scan, TableDefinition
from nextbasket.query.base import QueryState, Statistics
from nextbasket.query.lookup import VIEW_STATEMENT


class Listing:
    """The answer of a statement that has run: a finished handle over a small table."""

    def __init__(self, table: pa.Table, used: Statistics | None = None) -> None:
        self._table = table
        self._statistics = used or Statistics(0.0, table.num_rows, 0)

    @property
    def state(self) -> QueryState:
        """It has always succeeded."""
        return QueryState.SUCCEEDED

    @property
    def schema(self) -> pa.Schema:
        """The table's schema."""
        return self._table.schema

    def cancel(self) -> None:
        """There is nothing left to stop."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from self._table.to_batches()

    def statistics(self) -> Statistics:
        """Return its rows and what the statement took."""
        return self._statistics


def one_column(name: str, values: Sequence[str]) -> pa.Table:
    """Return a table of one text column."""
    return pa.table({name: pa.array(list(values), pa.string())})


def changed_rows(rows: int) -> pa.Table:
    """Return what a statement answers that writes rows."""
    return pa.table({"rows": pa.array([rows], pa.int64())})


def matches(name: str, pattern: str | None) -> bool:
    """Say whether a name matches Athena's pattern: ``*`` is any text, ``|`` is or, letters in either case."""
    if pattern is None:
        return True
    parts = [".*".join(re.escape(part) for part in one.strip().split("*")) for one in pattern.split("|")]
    return any(re.fullmatch(part, name, flags=re.IGNORECASE) for part in parts)


def described(definition: TableDefinition, properties: Mapping[str, str], *, formatted: bool) -> pa.Table:
    """Return DESCRIBE's rows; ``formatted`` adds what the table is and where it lies."""
    columns = (*definition.columns, *definition.partition_keys)
    rows = [
        (column.name, column.type, column.comment or ("partition key" if column in definition.partition_keys else ""))
        for column in columns
    ]
    if formatted:
        kind = {ICEBERG: "ICEBERG", VIEW: "VIRTUAL_VIEW"}.get(definition.format, "EXTERNAL_TABLE")
        rows += [
            ("", "", ""),
            ("# Detailed Table Information", "", ""),
            ("Database:", definition.database, ""),
            ("Table:", definition.name, ""),
            ("Table Type:", kind, ""),
            ("Format:", definition.format, ""),
            ("Location:", definition.location, ""),
            *((f"{key}:", value, "") for key, value in sorted(properties.items())),
        ]
    names = ("col_name", "data_type", "comment")
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})


def properties_table(properties: Mapping[str, str], wanted: str | None) -> pa.Table:
    """Return SHOW TBLPROPERTIES' rows, all or the one wanted."""
    rows = [(key, value) for key, value in sorted(properties.items()) if wanted in (None, key)]
    return pa.table(
        {
            "prpt_name": pa.array([key for key, _ in rows], pa.string()),
            "prpt_value": pa.array([value for _, value in rows], pa.string()),
        }
    )


def partition_names(definition: TableDefinition, scan: Scan) -> list[str]:
    """Return the partitions of a table of files as ``key=value/key=value``, each once, in order."""
    keys = [key.name for key in definition.partition_keys]
    return sorted({"/".join(f"{key}={values[key]}" for key in keys) for values in scan.partitions.values()})


def create_statement(definition: TableDefinition, properties: Mapping[str, str]) -> list[str]:
    """Return the lines of the statement that would make the table or view in Athena."""
    name = f"{_back(definition.database)}.{_back(definition.name)}"
    if definition.format == VIEW:
        return [
            f"CREATE VIEW {definition.database}.{definition.name} AS",
            *definition.parameters[VIEW_STATEMENT].splitlines(),
        ]
    external = "" if definition.format == ICEBERG else "EXTERNAL "
    columns = definition.columns
    if definition.format == ICEBERG:
        columns = (*columns, *definition.partition_keys)
    lines = [f"CREATE {external}TABLE {name} (", *_column_lines(columns), ")"]
    if definition.partition_keys:
        lines.append("PARTITIONED BY (")
        if definition.format == ICEBERG:
            keys = [_back(key.name) for key in definition.partition_keys]
            lines += [f"  {key}{',' if at < len(keys) - 1 else ''}" for at, key in enumerate(keys)]
        else:
            lines += _column_lines(definition.partition_keys)
        lines.append(")")
    lines += _FORMATS.get(definition.format, [])
    if definition.format == "csv":
        lines[-1] = lines[-1].replace("?", _text(definition.parameters.get("delimiter", ",")))
    lines += ["LOCATION", f"  {_text(definition.location)}"]
    kept = dict(sorted(properties.items()))
    if definition.format == ICEBERG:
        kept = {"table_type": "ICEBERG", **kept}
    if kept:
        pairs = [f"  {_text(key)}={_text(value)}" for key, value in kept.items()]
        lines += ["TBLPROPERTIES (", *(pair + "," for pair in pairs[:-1]), pairs[-1], ")"]
    return lines


_FORMATS = {
    "parquet": ["STORED AS PARQUET"],
    "json": ["ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"],
    "csv": ["ROW FORMAT DELIMITED", "  FIELDS TERMINATED BY ?"],
    "avro": ["STORED AS AVRO"],
    "orc": ["STORED AS ORC"],
}


def _column_lines(columns: Sequence[Column]) -> list[str]:
    ends = [","] * (len(columns) - 1) + [""]
    return [
        f"  {_back(column.name)} {column.type}{f' COMMENT {_text(column.comment)}' if column.comment else ''}{end}"
        for column, end in zip(columns, ends, strict=True)
    ]


def _back(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"
