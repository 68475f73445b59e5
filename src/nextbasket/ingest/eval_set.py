"""Which basket is predicted: each order's ``eval_set``, where a shop does not say it.

A shop that delivers ``eval_set`` for every order, with at least one ``train`` order, keeps its own. In any other shop
it is derived: a shopper's latest order with known lines is ``train``; a header without lines that comes after it (or
whose shopper has no lines at all) is ``test``; every other order is ``prior``. Orders of the same number are taken in
the order of their ids.
"""

import ibis
import ibis.expr.types as ir

PROPERTY = "nextbasket.eval_set"
"""The property of ``shop.orders`` that says which of the two a shop is; once derived, always derived."""

DELIVERED, DERIVED = "delivered", "derived"


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
