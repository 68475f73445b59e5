"""The corpus: statements with the rows Athena gives, in files that a person can read.

A file is a list of cases::

    -- what the case shows
    SELECT 7 / 2, 'a';
    --> 3 | 'a'

Each ``-->`` is a row. Cells are written so that their kind shows: 3 is an integer, 3e0 a double, 3.0 a decimal, 'a' a
text, X'0A' bytes, [1] an array, {'a': 1} a map, (x: 1) a row. Instead of rows, ``--!`` gives the pattern that an
error's sentence matches; it must say line and column, too. Expected rows were written by hand after
Trino's documentation.
"""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

FOLDER = Path(__file__).parent

ORDERS = pa.table(
    {
        "order_id": [1, 2, 3, 4, 5, 6],
        "user_id": [1, 1, 1, 2, 2, 3],
        "eval_set": ["prior", "prior", "train", "prior", "test", "prior"],
        "order_number": [1, 2, 3, 1, 2, 1],
        "order_dow": [2, 3, 3, 0, 6, None],
        "days_since_prior_order": [None, 7.0, 14.0, None, 30.0, None],
    }
)
LINES = pa.table(
    {
        "order_id": [1, 1, 2, 2, 3, 4, 6],
        "product_id": [10, 11, 10, 12, 10, 10, 12],
        "reordered": [0, 0, 1, 0, 1, 0, 0],
    }
)
PRODUCTS = pa.table(
    {
        "product_id": [10, 11, 12, 13],
        "name": ["Bananen", "Süße Äpfel", "crème brûlée", None],
        "price": pa.array([Decimal("1.20"), Decimal("2.49"), None, Decimal("0.99")], pa.decimal128(10, 2)),
    }
)
DAYS = pa.table(
    {
        "id": [1, 2, 3],
        "d": [dt.date(2024, 1, 31), dt.date(2024, 12, 29), None],
        "t": pa.array(
            [dt.datetime(2024, 1, 31, 23, 30), dt.datetime(2024, 12, 29, 0, 15, 30, 250_000), None],
            pa.timestamp("us"),
        ),
    }
)
NUMBERS = pa.table(
    {
        "n": [1, -7, 0, None, 9],
        "x": [0.5, -2.5, 0.0, None, 1000.0],
        "p": pa.array(
            [Decimal("1.25"), Decimal("-1.25"), Decimal("0.00"), None, Decimal("10.10")], pa.decimal128(10, 2)
        ),
    }
)
TAGS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "tags": pa.array([["bio", "rot", "bio"], [], None, ["x", None]], pa.list_(pa.string())),
        "counts": pa.array([[("a", 1), ("b", 2)], [], None, [("c", 3)]], pa.map_(pa.string(), pa.int64())),
        "place": pa.array(
            [{"city": "Wien", "zip": 1010}, {"city": "Graz", "zip": None}, None, {"city": None, "zip": 8010}],
            pa.struct([("city", pa.string()), ("zip", pa.int64())]),
        ),
    }
)
TABLES: dict[str, pa.Table] = {
    "orders": ORDERS,
    "lines": LINES,
    "products": PRODUCTS,
    "days": DAYS,
    "numbers": NUMBERS,
    "tags": TAGS,
}
"""The tables that statements read."""


@dataclass(frozen=True)
class Case:
    """One statement with the rows it gives, or the pattern of its error."""

    title: str
    place: str
    sql: str
    rows: tuple[str, ...]
    error: str | None

    @property
    def ordered(self) -> bool:
        """Whether the rows' order counts."""
        return "ORDER BY" in self.sql.rpartition(")")[2] or len(self.rows) == 1


def cases() -> list[Case]:
    """Read the cases of all files."""
    return [case for path in sorted(FOLDER.glob("*.sql")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[Case]:
    lines = path.read_text(encoding="utf-8").splitlines()
    position = 0
    while position < len(lines):
        if not lines[position].startswith("-- "):
            assert not lines[position].strip(), f"{path.name}:{position + 1} stands outside of a case"
            position += 1
            continue
        title, start = lines[position][3:], position + 1
        position += 1
        sql, rows, error = [], [], None
        while position < len(lines) and not lines[position].startswith("--"):
            sql.append(lines[position])
            position += 1
        while position < len(lines) and lines[position].startswith(("-->", "--!")):
            kind, text = lines[position][:3], lines[position][4:]
            if kind == "-->":
                rows.append(text)
            else:
                error = text
            position += 1
        assert rows or error, f"{path.name}:{start} has neither rows nor an error"
        yield Case(title, f"{path.name}:{start}", "\n".join(sql).strip().rstrip(";"), tuple(rows), error)


def written(table: pa.Table) -> list[str]:
    """Return a result's rows as a case writes them."""
    columns = [
        [shown(value, field.type) for value in column.to_pylist()]
        for column, field in zip(table.columns, table.schema, strict=True)
    ]
    return [" | ".join(row) for row in zip(*columns, strict=True)]


def shown(value: object, kind: pa.DataType) -> str:
    """Return one value as a case writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
        text = f"{value + 0.0:.12g}"
        return text if "e" in text else f"{text}e0"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(kind, pa.MapType):
        assert isinstance(value, list)
        pairs = sorted((shown(key, kind.key_type), shown(item, kind.item_type)) for key, item in value)
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    if isinstance(kind, pa.ListType):
        assert isinstance(value, list)
        return "[" + ", ".join(shown(item, kind.value_type) for item in value) + "]"
    if isinstance(kind, pa.StructType):
        assert isinstance(value, dict)
        return "(" + ", ".join(f"{field.name}: {shown(value[field.name], field.type)}" for field in kind) + ")"
    assert isinstance(value, int | Decimal), f"{value!r} cannot be written"
    return str(value)
