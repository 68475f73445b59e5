"""The tables of the Instacart layout: columns, keys and checks.

Kinds of column: ``id`` (opaque; BIGINT where every value is an integer, else VARCHAR), ``integer`` (BIGINT in range),
``number`` (DOUBLE in range), ``text``. Ranges are inclusive. An optional column may be missing from a delivery.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "integer", "number", "text"]


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """One column of the layout; ``null`` says whether a value may be empty."""

    name: str
    kind: Kind
    optional: bool = False
    null: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """Each value of ``column`` must be a key of ``table``; a line whose value is unknown is quarantined."""

    column: str
    table: str


@dataclass(frozen=True, slots=True)
class LayoutTable:
    """One table of the layout: its columns, its key, and what it refers to.

    ``optional`` tables may be missing from a shop.
    """

    name: str
    columns: tuple[ColumnRule, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    optional: bool = False

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The columns that no delivery may lack."""
        return tuple(column.name for column in self.columns if not column.optional)


AISLES = LayoutTable(
    "aisles",
    (ColumnRule("aisle_id", "id"), ColumnRule("aisle", "text", null=True)),
    key=("aisle_id",),
    optional=True,
)
DEPARTMENTS = LayoutTable(
    "departments",
    (ColumnRule("department_id", "id"), ColumnRule("department", "text", null=True)),
    key=("department_id",),
    optional=True,
)
PRODUCTS = LayoutTable(
    "products",
    (
        ColumnRule("product_id", "id"),
        ColumnRule("product_name", "text", null=True),
        ColumnRule("aisle_id", "id", optional=True, null=True),
        ColumnRule("department_id", "id", optional=True, null=True),
    ),
    key=("product_id",),
)
ORDERS = LayoutTable(
    "orders",
    (
        ColumnRule("order_id", "id"),
        ColumnRule("user_id", "id"),
        ColumnRule("eval_set", "text", optional=True, null=True, allowed=("prior", "train", "test")),
        ColumnRule("order_number", "integer", minimum=1, maximum=1_000_000),
        ColumnRule("order_dow", "integer", optional=True, null=True, minimum=0, maximum=6),
        ColumnRule("order_hour_of_day", "integer", optional=True, null=True, minimum=0, maximum=23),
        ColumnRule("days_since_prior_order", "number", optional=True, null=True, minimum=0, maximum=100_000),
    ),
    key=("order_id",),
)
ORDER_PRODUCTS = LayoutTable(
    "order_products",
    (
        ColumnRule("order_id", "id"),
        ColumnRule("product_id", "id"),
        ColumnRule("add_to_cart_order", "integer", optional=True, null=True, minimum=1, maximum=1_000_000),
        ColumnRule("reordered", "integer", optional=True, null=True, minimum=0, maximum=1),
    ),
    key=("order_id", "product_id"),
    references=(Reference("order_id", "orders"),),
)

LAYOUT: dict[str, LayoutTable] = {
    table.name: table for table in (AISLES, DEPARTMENTS, PRODUCTS, ORDERS, ORDER_PRODUCTS)
}
"""Every table of the layout by name, in loading order."""

LINE_TABLES = ("order_products", "order_products__prior", "order_products__train")
"""The landing tables whose rows are order lines; all become ``shop.order_products``."""
