"""The two builds of the features: which orders are history, and what the names in recipes and queries then mean.

Recipes and queries are written once, for the training build: they read ``orders`` and ``order_products_prior``, take
the orders whose eval_set is ``prior`` as history and the one that is ``train`` as the target. The serving build moves
the moment by one order: what was ``train`` becomes ``prior``, a ``test`` header becomes the target. Nothing else
differs, so the two builds cannot drift apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import sqlglot
from sqlglot import exp

from nextbasket.grocery.tables import ORDER_PRODUCTS, ORDERS, PRODUCTS, Kind, LayoutTable
from nextbasket.query import dialect
from nextbasket.recipes.run import table_expression


class AsOf(StrEnum):
    """The moment a build looks from."""

    TRAINING = "training"
    SERVING = "serving"


DATABASES: Mapping[AsOf, str] = {AsOf.TRAINING: "features", AsOf.SERVING: "features_serving"}
"""Where each build's tables live."""

SHOP = "shop"
"""The database of the shop's own tables."""

_TYPES: Mapping[Kind, str] = {"id": "string", "integer": "int64", "number": "float64", "text": "string"}
_HISTORY_LINES = (
    *(column.name for column in ORDERS.columns),
    *(column.name for column in ORDER_PRODUCTS.columns if column.name != "order_id"),
)


@dataclass(frozen=True, slots=True)
class Build:
    """One build: its moment, its database, and the shop's tables as seen from that moment, by the name queries use."""

    as_of: AsOf
    database: str
    sources: Mapping[str, ir.Table]

    def bind(self, sql: str) -> str:
        """Return a query with its unqualified table names bound to this build's sources and tables."""
        tree = dialect.parse(sql)
        for node in list(dialect.read_tables(tree)):
            if node.db:
                continue
            alias = node.alias or node.name
            source = self.sources.get(node.name.lower())
            if source is None:
                bound = exp.alias_(exp.table_(node.name, db=self.database), alias, table=True)
            elif isinstance(source.op(), ops.UnboundTable):
                bound = exp.alias_(exp.table_(source.op().name, db=SHOP), alias, table=True)
            else:
                inner = sqlglot.parse_one(ibis.to_sql(source, dialect="athena"), read="athena")
                bound = exp.alias_(exp.Subquery(this=inner), alias, table=True)
            for key in ("joins", "laterals"):
                if node.args.get(key):
                    bound.set(key, node.args[key])
            node.replace(bound)
        return tree.sql(dialect="athena", pretty=True)


def build_of(as_of: AsOf, schema: Callable[[str], pa.Schema]) -> Build:
    """Return a build over the shop's tables; ``schema`` gives a table's columns by ``database.table``."""
    orders = _layout_table(ORDERS, schema)
    prior = _table("order_products_prior", schema)
    lines = _chosen(_with_columns(prior, ORDERS, ORDER_PRODUCTS), _HISTORY_LINES)
    if as_of is AsOf.SERVING:
        added = _layout_table(ORDER_PRODUCTS, schema)
        latest = orders.filter(orders.eval_set == "train")
        joined = added.inner_join(latest, "order_id").select(*_HISTORY_LINES).mutate(eval_set=ibis.literal("prior"))
        lines = ibis.union(lines, joined, distinct=False)
        orders = orders.mutate(
            eval_set=orders.eval_set.cases(("train", "prior"), ("test", "train"), else_=orders.eval_set)
        )
    sources = {"orders": orders, "order_products_prior": lines, "products": _layout_table(PRODUCTS, schema)}
    return Build(as_of, DATABASES[as_of], sources)


def _table(name: str, schema: Callable[[str], pa.Schema]) -> ir.Table:
    full_name = f"{SHOP}.{name}"
    return table_expression(full_name, schema(full_name))


def _layout_table(layout: LayoutTable, schema: Callable[[str], pa.Schema]) -> ir.Table:
    return _chosen(_with_columns(_table(layout.name, schema), layout), [column.name for column in layout.columns])


def _chosen(table: ir.Table, names: Sequence[str]) -> ir.Table:
    """Return these columns; the table itself where it has no others, so that queries stay as short as they were."""
    return table if table.columns == tuple(names) else table.select(*names)


def _with_columns(table: ir.Table, *layouts: LayoutTable) -> ir.Table:
    """Add the layout's columns that the shop lacks, as NULL: what depends on them is then NULL, too."""
    absent = {
        column.name: ibis.null(_TYPES[column.kind])
        for layout in layouts
        for column in layout.columns
        if column.name not in table.columns
    }
    return table.mutate(**absent) if absent else table
