"""Which basket is predicted: each order's ``eval_set``, where a shop does not say it.

A shop that delivers ``eval_set`` for every order, with at least one ``train`` order, keeps its own. In any other shop
it is derived: a shopper's latest order with known lines is ``train``; a header without lines that comes after it (or
whose shopper has no lines at all) is ``test``; every other order is ``prior``. Orders of the same number are taken in
the order of their ids.
"""

from dataclasses import dataclass
from functools import reduce

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Scan
from nextbasket.grocery.tables import ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.table_versions import typed

PROPERTY = "nextbasket.eval_set"
"""Which of the two a shop is: a property of ``shop.orders`` (once derived, always derived), and a key of the summary
of each commit to it."""

DELIVERED, DERIVED = "delivered", "derived"

_FORMER, _FRESH = "former_set", "is_fresh"


def with_derived(orders: ir.Table, known: ir.Table) -> ir.Table:
    """Return orders with ``eval_set`` derived; ``known`` has the ``order_id`` of every order with lines, each once."""
    with_lines = orders.semi_join(known, "order_id")
    newest = with_lines.group_by("user_id").aggregate(last_number=with_lines.order_number.max())
    same = with_lines.join(newest, ["user_id", ibis._.order_number == newest.last_number])
    last = same.group_by("user_id").aggregate(last_number=same.order_number.max(), last_order=same.order_id.max())
    joined = orders.left_join(last, orders.user_id == last.user_id)
    later = (orders.order_number > last.last_number) | (
        (orders.order_number == last.last_number) & (orders.order_id > last.last_order)
    )
    eval_set = ibis.cases(
        (last.last_order.isnull(), "test"),
        (orders.order_id == last.last_order, "train"),
        (later, "test"),
        else_="prior",
    )
    return joined.select(**{name: eval_set if name == "eval_set" else orders[name] for name in orders.columns})


@dataclass(frozen=True, slots=True)
class Derived:
    """Orders to write: ``whole`` says whether they are all there are, else only those that are new or change."""

    rows: ir.Table
    inputs: dict[str, Scan]
    whole: bool


class EvalSets:
    """Decides whether ``eval_set`` is derived in this load, and derives it."""

    def __init__(self, attempt: Attempt, orders: TableLoad, lines: TableLoad) -> None:
        self._attempt = attempt
        self._orders = orders
        self._lines = lines
        self.decided: str | None = None
        """``delivered`` or ``derived`` where new orders decide it."""

    @property
    def stored(self) -> str | None:
        """Which of the two the shop's orders are now; None where there are none."""
        shop = self._attempt.shop
        return shop.latest(ORDERS.name, PROPERTY) or shop.property(ORDERS.name, PROPERTY)

    def decide(self) -> bool:
        """Decide whether this shop says which basket is predicted; returns whether orders must be derived now."""
        orders = self._orders
        stored = self.stored
        if orders.rows is None or not (orders.rows.good or orders.mapping):
            return stored == DERIVED and (orders.new or self._lines.new)
        has_train = orders.rows.has_train or (stored == DELIVERED and not orders.mapped)
        complete = orders.rows.complete_sets and has_train
        if stored == DERIVED and not orders.mapped:
            complete = False
        self.decided = DELIVERED if complete else DERIVED
        if not complete and stored != DERIVED:
            self._attempt.notes.append(
                "eval_set is derived: each shopper's latest order with lines is the one to predict"
            )
        return not complete

    def derived(self, existing: Scan) -> Derived:
        """Return orders with their ``eval_set`` derived from the lines that are known after this load.

        Where it was derived before, only shoppers whose orders or lines change are looked at.
        """
        stored = unbound(existing)
        batch = self._batch(existing)
        kept = stored
        inputs: dict[str, Scan] = {existing.table: existing}
        if batch is not None and self._orders.rows is not None:
            inputs[self._orders.rows.scan.table] = self._orders.rows.scan
            kept = kept.anti_join(batch, "order_id")
        if self._orders.removed is not None:
            inputs[self._orders.removed.table] = self._orders.removed
            kept = kept.anti_join(unbound(self._orders.removed), "order_id")
        if not self._can_go_on_from(existing):
            orders = kept if batch is None else kept.union(batch)
            known, read = self._known(existing.schema, None)
            return Derived(with_derived(orders, known), inputs | read, whole=True)
        changed, read = self._changed(existing, batch)
        if changed is not None:
            users = stored.semi_join(changed, "order_id").select("user_id")
            if batch is not None:
                users = users.union(batch.select("user_id"))
            kept = kept.semi_join(users.distinct(), "user_id")
        part = kept.mutate(**{_FORMER: kept.eval_set, _FRESH: ibis.literal(False)})
        if batch is not None:
            part = part.union(batch.mutate(**{_FORMER: ibis.null("string"), _FRESH: ibis.literal(True)}))
        orders_of_users = self._written(part, inputs | read, "orders_of_users", existing)
        known, read = self._known(existing.schema, orders_of_users)
        with_lines = self._written(known, read, "with_lines", None)
        rows = with_derived(unbound(orders_of_users), unbound(with_lines))
        rows = rows.filter(rows[_FRESH] | ~rows.eval_set.identical_to(rows[_FORMER]))
        needed = {scan.table: scan for scan in (orders_of_users, with_lines)}
        return Derived(rows.select(*[field.name for field in existing.schema]), needed, whole=False)

    def _can_go_on_from(self, existing: Scan) -> bool:
        remade = self._orders.mapping is not None or self._lines.mapping is not None
        last = self._attempt.shop.summary(ORDERS.name).get(PROPERTY)
        return bool(existing.files) and not remade and last == DERIVED

    def _batch(self, existing: Scan) -> ir.Table | None:
        rows = self._orders.rows
        return typed(rows.latest(), existing.schema) if rows is not None and rows.good else None

    def _line_orders(self, schema: pa.Schema) -> tuple[list[ir.Table], dict[str, Scan]]:
        """Return the orders of new lines."""
        kind = ibis.Schema.from_pyarrow(pa.schema([schema.field("order_id").remove_metadata()]))["order_id"]
        if self._lines.clean is not None:
            clean = unbound(self._lines.clean)
            return [clean.select(order_id=clean.order_id.cast(kind))], {self._lines.clean.table: self._lines.clean}
        if self._lines.rows is not None:
            good = self._lines.rows.good_rows()
            scan = self._lines.rows.scan
            return [good.select(order_id=good.order_id.cast(kind))], {scan.table: scan}
        return [], {}

    def _changed(self, existing: Scan, batch: ir.Table | None) -> tuple[ir.Table | None, dict[str, Scan]]:
        """Return the orders that are new or gone, or whose lines are."""
        parts, inputs = self._line_orders(existing.schema)
        if batch is not None:
            parts.append(batch.select("order_id"))
        for removed in (self._orders.removed, self._lines.removed):
            if removed is not None:
                parts.append(unbound(removed).select("order_id"))
                inputs[removed.table] = removed
        if not parts:
            return None, inputs
        return reduce(lambda one, other: one.union(other), parts).distinct(), inputs

    def _known(self, schema: pa.Schema, among: Scan | None) -> tuple[ir.Table, dict[str, Scan]]:
        """Return the orders that have lines after this load, each once; of ``among`` only, if given."""
        parts, inputs = self._line_orders(schema)
        stored = self._attempt.shop.scan(ORDER_PRODUCTS.name)
        if stored is not None and self._lines.mapping is None:
            lines = unbound(stored)
            inputs[stored.table] = stored
            if self._lines.removed is not None:
                lines = lines.anti_join(unbound(self._lines.removed), "order_id")
                inputs[self._lines.removed.table] = self._lines.removed
            kind = ibis.Schema.from_pyarrow(pa.schema([schema.field("order_id").remove_metadata()]))["order_id"]
            parts.append(lines.select(order_id=lines.order_id.cast(kind)))
        known = reduce(lambda one, other: one.union(other), parts)
        if among is not None:
            known = known.semi_join(unbound(among), "order_id")
            inputs[among.table] = among
        return known.distinct(), inputs

    def _written(self, rows: ir.Table, inputs: dict[str, Scan], name: str, like: Scan | None) -> Scan:
        if like is not None:
            fields = [field.remove_metadata() for field in like.schema]
            schema = pa.schema([*fields, pa.field(_FORMER, pa.string()), pa.field(_FRESH, pa.bool_())])
        else:
            schema = self._attempt.engine.describe(rows, inputs)
        files = self._attempt.engine.write(rows, inputs, self._attempt.temporary(), schema)
        return Scan(f"staged.{name}", "parquet", tuple(files), schema)
