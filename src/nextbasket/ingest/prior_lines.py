"""``order_products_prior``: the lines of prior orders joined to their orders, kept up with both tables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import CommitMode, Scan
from nextbasket.grocery.tables import ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.checks import shop_columns
from nextbasket.ingest.load_attempt import Attempt
from nextbasket.ingest.shop import PendingCommit, unbound
from nextbasket.ingest.table_versions import Versions

PRIOR = "order_products_prior"
"""The table's name."""

_INPUTS = "nextbasket.inputs"
_SMALL_PART = 0.1
_FEW_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class TableChange:
    """How a load changed a table: its version before and after, and what differs.

    ``rows`` read the new and changed rows, ``removed`` the key values of those that left; both None: nobody knows.
    """

    before: Scan
    after: int | None
    rows: Scan | None = None
    removed: Scan | None = None


class PriorLines:
    """Writes the table of prior lines."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._versions = Versions(attempt)

    def bring_up(self, changes: Mapping[str, TableChange]) -> bool:
        """Bring the table up to the current versions of orders and lines; returns whether it changed.

        ``changes`` says what this load did to them. Where the table was made from the versions before that, only lines
        of changed orders are written; else it is made from the whole tables.
        """
        shop = self._attempt.shop
        orders, lines = shop.scan(ORDERS.name), shop.scan(ORDER_PRODUCTS.name)
        if orders is None or lines is None:
            return False
        made_from = shop.summary(PRIOR).get(_INPUTS)
        make_from = _versions(orders.snapshot_id, lines.snapshot_id)
        if made_from == make_from:
            return False
        target = self._define(orders)
        affected = self._affected(made_from, orders, lines, changes) if target.files else None
        if affected is None:
            query, inputs = self._joined(orders, lines, target, None)
            files = self._attempt.engine.write(query, inputs, self._attempt.lasting(), target.schema)
            pending = PendingCommit(PRIOR, CommitMode.OVERWRITE, tuple(files), target.snapshot_id)
        else:
            pending = self._part(orders, lines, target, affected, changes)
        shop.commit(
            PendingCommit(PRIOR, pending.mode, pending.files, pending.expected, pending.replaces, {_INPUTS: make_from}),
            self._attempt.run_id,
        )
        return True

    def _define(self, orders: Scan) -> Scan:
        shop = self._attempt.shop
        of_orders = set(orders.schema.names)
        ids = shop.columns(ORDERS.name) | shop.columns(ORDER_PRODUCTS.name)
        columns = shop_columns(ORDERS, ids) + tuple(
            column for column in shop_columns(ORDER_PRODUCTS, ids) if column.name not in of_orders
        )
        if shop.columns(PRIOR) and shop.columns(PRIOR) != {column.name: column.type for column in columns}:
            shop.drop(PRIOR)
        return shop.define(PRIOR, columns)

    def _joined(
        self, orders: Scan, lines: Scan, target: Scan, affected: Scan | None
    ) -> tuple[ir.Table, dict[str, Scan]]:
        one, many = unbound(orders), unbound(lines)
        inputs = {orders.table: orders, lines.table: lines}
        if affected is not None:
            one = one.semi_join(unbound(affected), "order_id")
            inputs[affected.table] = affected
        prior = one.filter(one.eval_set == "prior")
        joined = many.join(prior, "order_id")
        return joined.select(*[joined[field.name] for field in target.schema]), inputs

    def _affected(
        self, made_from: str | None, orders: Scan, lines: Scan, changes: Mapping[str, TableChange]
    ) -> Scan | None:
        """Return the orders whose prior lines may differ; None where that is not known, or where they are many."""
        before = {}
        parts: list[Scan] = []
        for name, scan in ((ORDERS.name, orders), (ORDER_PRODUCTS.name, lines)):
            change = changes.get(name)
            if change is None:
                before[name] = scan.snapshot_id
                continue
            if change.after != scan.snapshot_id or (change.rows is None and change.removed is None):
                return None
            before[name] = change.before.snapshot_id
            parts += [part for part in (change.rows, change.removed) if part is not None and part.files]
        if made_from != _versions(before[ORDERS.name], before[ORDER_PRODUCTS.name]):
            return None
        total = sum(file.rows for file in lines.files)
        if sum(file.rows for part in parts for file in part.files) > max(_SMALL_PART * total, _FEW_ROWS):
            return None
        return self._ids(parts, orders, "affected_orders")

    def _ids(self, parts: list[Scan], orders: Scan, name: str) -> Scan:
        schema = pa.schema([orders.schema.field("order_id").remove_metadata()])
        if not parts:
            return Scan(f"staged.{name}", "parquet", (), schema)
        inputs = {f"staged.{name}_{at}": part for at, part in enumerate(parts)}
        tables = [unbound(_named(part, key)).select("order_id") for key, part in inputs.items()]
        ids = reduce(lambda one, other: one.union(other), tables).distinct()
        read = {key: _named(part, key) for key, part in inputs.items()}
        files = self._attempt.engine.write(ids, read, self._attempt.temporary(), schema)
        return Scan(f"staged.{name}", "parquet", tuple(files), schema)

    def _part(
        self, orders: Scan, lines: Scan, target: Scan, affected: Scan, changes: Mapping[str, TableChange]
    ) -> PendingCommit:
        engine = self._attempt.engine
        query, inputs = self._joined(orders, lines, target, affected)
        added = engine.write(query, inputs, self._attempt.lasting(), target.schema)
        # Only orders that were prior before have lines in the table.
        was = changes[ORDERS.name].before if ORDERS.name in changes else orders
        former = unbound(was)
        stale = former.filter(former.eval_set == "prior").semi_join(unbound(affected), "order_id").select("order_id")
        written = engine.write(
            stale, {was.table: was, affected.table: affected}, self._attempt.temporary(), affected.schema
        )
        removed = Scan("staged.stale_orders", "parquet", tuple(written), affected.schema)
        key = ("order_id", "product_id")
        mode, files, replaces = self._versions.files(target, key, self._versions.only_removed(target, key, removed))
        return PendingCommit(PRIOR, mode, (*added, *files), target.snapshot_id, tuple(replaces))


def _versions(orders: int | None, lines: int | None) -> str:
    return json.dumps({ORDERS.name: orders, ORDER_PRODUCTS.name: lines})


def _named(scan: Scan, name: str) -> Scan:
    return Scan(name, scan.format, scan.files, scan.schema)
