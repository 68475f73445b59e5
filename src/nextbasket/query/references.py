"""How a query names what it reads: tables, views, earlier versions of a table, and tables about a table.

A query's inputs are given by these keys: ``orders`` or ``shop.orders`` as written, in lower case, and
``shop.orders@version_123`` for a table read with ``FOR VERSION AS OF 123``, since one query may read several versions
of one table. A view is given as its statement with inputs of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from nextbasket.catalog.base import Scan
from nextbasket.query import dialect

TIME_FORM = (
    "write FOR TIMESTAMP AS OF TIMESTAMP '2026-11-22 18:00:00 UTC', or (current_timestamp - INTERVAL '1' DAY), or "
    "FOR VERSION AS OF a snapshot's number"
)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True, slots=True)
class ViewScan(Scan):
    """A view to read in place of a table: its ``statement`` and the inputs that this names, each by its key."""

    statement: dialect.Statement = field(kw_only=True)
    inputs: Mapping[str, Scan] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Reference:
    """A table as a query names it, with the version it asks for: a snapshot's number, or a time."""

    name: dialect.TableName
    snapshot_id: int | None = None
    at: datetime | None = None

    @property
    def key(self) -> str:
        """The key of the input that this reads."""
        if self.snapshot_id is not None:
            return f"{self.name.key}@version_{self.snapshot_id}"
        if self.at is not None:
            return f"{self.name.key}@time_{round(self.at.timestamp() * 1_000_000)}"
        return self.name.key


def references(statement: dialect.Statement) -> dict[str, Reference]:
    """Return everything a statement reads by key, in order of appearance; raises QueryError for a version."""
    found: dict[str, Reference] = {}
    for table in dialect.read_tables(statement.tree):
        reference = reference_of(statement, table)
        found.setdefault(reference.key, reference)
    return found


def reference_of(statement: dialect.Statement, table: exp.Table) -> Reference:
    """Return what a table's node stands for; raises QueryError for a version that cannot be read."""
    name = dialect.table_name(table)
    version = table.args.get("version")
    if version is None:
        return Reference(name)
    value = version.expression
    if version.text("kind").upper() == "AS OF":
        if version.name.upper() == "VERSION" and isinstance(value, exp.Literal) and value.name.isdigit():
            return Reference(name, snapshot_id=int(value.name))
        if version.name.upper() == "TIMESTAMP" and isinstance(value, exp.Cast):
            at = _time(value.this.name) if isinstance(value.this, exp.Literal) else None
            if at is not None:
                return Reference(name, at=at)
    raise statement.error(f"the version of {name.key} to read cannot be understood: {TIME_FORM}.", name.offset)


def at_fixed_times(statement: dialect.Statement, now: datetime) -> dialect.Statement:
    """Return the statement with ``FOR TIMESTAMP AS OF (current_timestamp - INTERVAL …)`` as times.

    Every reading of the statement then means the same version. Anything else is left as it is.
    """
    fixed = {id(table): _relative(table, now) for table in dialect.read_tables(statement.tree)}
    if not any(fixed.values()):
        return statement
    times = list(fixed.values())
    tree = statement.tree.copy()
    for table, at in zip(dialect.read_tables(tree), times, strict=True):
        if at is not None:
            literal = exp.Literal.string(at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
            table.args["version"].set("expression", exp.cast(literal, "timestamp"))
    return dialect.Statement(statement.text, tree)


def _relative(table: exp.Table, now: datetime) -> datetime | None:
    """Return the time that a version means which is told from the current time; None for any other."""
    version = table.args.get("version")
    if version is None or version.name.upper() != "TIMESTAMP":
        return None
    value = version.expression.unnest()
    if isinstance(value, exp.CurrentTimestamp):
        return now
    if not (isinstance(value, exp.Sub) and isinstance(value.this, exp.CurrentTimestamp)):
        return None
    interval = value.expression
    count = interval.this.name if isinstance(interval, exp.Interval) and interval.this is not None else ""
    unit = interval.text("unit").lower() if isinstance(interval, exp.Interval) else ""
    if unit not in _SECONDS or not re.fullmatch(r"\d{1,9}", count):
        return None
    return now - timedelta(seconds=int(count) * _SECONDS[unit])


def plain(statement: dialect.Statement) -> dialect.Statement:
    """Return the statement with each versioned table named by its key, so that it is a plain SELECT."""
    if not any(table.args.get("version") for table in dialect.read_tables(statement.tree)):
        return statement
    tree = statement.tree.copy()
    for table in list(dialect.read_tables(tree)):
        if table.args.get("version") is None:
            continue
        key = reference_of(statement, table).key
        name = exp.to_identifier(key.rpartition(".")[2], quoted=True)
        name.meta.update(table.this.meta)
        table.set("alias", table.args.get("alias") or exp.TableAlias(this=table.this.copy()))
        table.set("this", name)
        table.set("version", None)
    return dialect.Statement(statement.text, tree)


def _time(text: str) -> datetime | None:
    """Return the time that a timestamp literal means; without a zone it is in UTC, as all times here."""
    parts = re.fullmatch(r"\s*(\d{4}-\d\d-\d\d(?:[ T][\d:.]+)?)\s*([A-Za-z][\w/+-]*|[+-]\d\d:\d\d)?\s*", text)
    if parts is None:
        return None
    moment, zone = parts[1], parts[2]
    try:
        if zone is not None and zone[0] in "+-":
            return datetime.fromisoformat(moment + zone)
        at = datetime.fromisoformat(moment)
        return at.replace(tzinfo=UTC if zone is None or zone.upper() in ("UTC", "Z") else ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):
        return None
