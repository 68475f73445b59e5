"""A table's new lines, checked and written down once: what the loader asks about them, and how it reads them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.grocery.tables import LayoutTable
from nextbasket.ingest.checks import DROPPED, FILE, checked, checked_schema
from nextbasket.ingest.forgotten_lines import ForgottenLines
from nextbasket.ingest.records import LINE, REASON
from nextbasket.ingest.repeats import has_repeats, repeats_in_groups
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.staging import Staged
from nextbasket.query.base import Inputs, QueryEngine

NO_ORDER = "there is no order with the order_id '"
"""How the reason of a line begins that waits for its order."""

_KEYS_AT_ONCE = 50_000_000
_LOOKED_AT_AGAIN = 10_000


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Checked lines of one table in Parquet: ``scan`` reads them, see ``checked_schema``.

    ``total`` counts all, ``faulty`` those with a reason, ``dropped`` those a mapping left out; ``duplicates`` says
    whether two good lines share a key; ``text_ids`` names the id columns in which some good value is no integer.
    Of orders, ``complete_sets`` says that each good one has an eval_set, ``has_train`` that one is ``train``.
    ``typed`` rows are as they are stored: all good, each key once, without the ``src_`` columns.
    """

    table: LayoutTable
    scan: Scan
    total: int
    faulty: int
    dropped: int
    duplicates: bool
    text_ids: frozenset[str]
    complete_sets: bool = True
    has_train: bool = False
    typed: bool = False

    @property
    def good(self) -> int:
        """The lines to load."""
        return self.total - self.faulty - self.dropped

    def rows(self) -> ir.Table:
        """Return the unbound table of all lines."""
        return unbound(self.scan)

    def good_rows(self) -> ir.Table:
        """Return the lines to load, a key's lines all of them."""
        rows = self.rows()
        return rows if self.typed else rows.filter(rows[REASON].isnull() & rows[DROPPED].isnull())

    def latest(self) -> ir.Table:
        """Return the lines to load, for each key the one delivered last."""
        good = self.good_rows()
        return good.filter(self._place(good, last_first=True) == 0) if self.duplicates else good

    def with_age(self) -> ir.Table:
        """Return the lines to load with ``src_age``: 0 for a key's line that was delivered first."""
        good = self.good_rows()
        age = self._place(good, last_first=False) if self.duplicates else ibis.literal(0, "int64")
        return good.mutate(src_age=age)

    def _place(self, good: ir.Table, *, last_first: bool) -> ir.IntegerColumn:
        # A mapping's rows have no line: their values decide, so that the answer is always the same.
        values = [column.name for column in self.table.columns if column.name not in self.table.key]
        order = [good[name].desc() if last_first else good[name].asc() for name in (FILE, LINE, *values)]
        return ibis.row_number().over(group_by=[good[name] for name in self.table.key], order_by=order)


class Checker:
    """Runs the layout's checks on an engine; ``inputs`` of its methods are what the expressions read."""

    def __init__(self, engine: QueryEngine, forgotten: ForgottenLines | None = None) -> None:
        self._engine = engine
        self._forgotten = forgotten

    def write(
        self,
        staged: Staged,
        folder: str,
        known_orders: "Orders | None" = None,
        *,
        left_out: Mapping[int, str] | None = None,
        only: Scan | None = None,
    ) -> CheckedRows:
        """Check staged files and write the result into a fresh folder; ``known_orders`` are those lines may name.

        ``left_out`` gives, by file number, why all lines of a file are dropped. With ``only`` just the lines whose
        first key column is one of the values that it reads are written.
        """
        parts = [checked(staged.table, direct.scan, file=direct.number) for direct in staged.direct]
        inputs = {direct.scan.table: direct.scan for direct in staged.direct}
        if staged.cut is not None:
            parts.append(checked(staged.table, staged.cut))
            inputs[staged.cut.table] = staged.cut
        if only is not None:
            parts = [_only(part, staged.table.key[0], only) for part in parts]
            inputs[only.table] = only
        if left_out:
            parts = [_left_out(part, checked_schema(staged.table).names, left_out) for part in parts]
        return self.write_rows(staged.table, parts, inputs, folder, known_orders)

    def write_rows(
        self,
        table: LayoutTable,
        parts: Sequence[exp.Select],
        inputs: Inputs,
        folder: str,
        known_orders: "Orders | None" = None,
    ) -> CheckedRows:
        """Write checked rows into a fresh folder, with lines for unknown orders marked, and count them."""
        schema = checked_schema(table)
        files: Sequence[DataFile] = ()
        if parts:
            rows: exp.Query = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)
            if known_orders is not None:
                rows = _with_unknown_marked(rows, schema.names, known_orders)
                inputs = {**inputs, **known_orders.inputs}
            files = self._engine.write(rows.sql(dialect="athena"), inputs, folder, schema)
            if self._forgotten is not None:
                files = self._forgotten.dropped(table, files, folder)
        return self.counted(table, files)

    def counted(self, table: LayoutTable, files: Sequence[DataFile]) -> CheckedRows:
        """Return the checked rows that stand in these files."""
        schema = checked_schema(table)
        return self._counted(table, Scan(f"staged.{table.name}_checked", "parquet", tuple(files), schema))

    def _counted(self, table: LayoutTable, scan: Scan) -> CheckedRows:
        """Ask everything about the rows in one query, but whether keys of two columns repeat."""
        rows = unbound(scan)
        good = rows[REASON].isnull() & rows[DROPPED].isnull()
        ids = [column.name for column in table.columns if column.kind == "id"]
        asked = {
            "total": rows.count(),
            "faulty": rows[REASON].count(),
            "dropped": rows[DROPPED].count(),
            **{
                f"text_{name}": rows[FILE].count(where=good & rows[name].notnull() & ~is_integer(rows[name]))
                for name in ids
            },
        }
        if len(table.key) == 1:
            asked["keys"] = rows[table.key[0]].nunique(where=good)
        if "eval_set" in rows.columns:
            asked["without_set"] = rows[FILE].count(where=good & rows.eval_set.isnull())
            asked["train"] = rows[FILE].count(where=good & (rows.eval_set == "train"))
        found = self.one(rows.aggregate(**asked), {scan.table: scan}) if scan.files else dict.fromkeys(asked, 0)
        counted = CheckedRows(
            table,
            scan,
            found["total"],
            found["faulty"],
            found["dropped"],
            duplicates=False,
            text_ids=frozenset(name for name in ids if found[f"text_{name}"]),
            complete_sets=not found.get("without_set", 0),
            has_train=found.get("train", 0) > 0,
        )
        if "keys" in found:
            counted = replace(counted, duplicates=found["keys"] < counted.good)
            return self._with_sets_of_latest(counted) if "eval_set" in rows.columns and counted.duplicates else counted
        keys = counted.good_rows().select(*table.key)
        again = self.has_duplicates(keys, {scan.table: scan}, counted.good)
        return replace(counted, duplicates=again)

    def _with_sets_of_latest(self, orders: CheckedRows) -> CheckedRows:
        """Let only the lines that are kept say which eval_sets there are."""
        latest = orders.latest()
        inputs = {orders.scan.table: orders.scan}
        missing, train = latest.eval_set.isnull(), latest.eval_set == "train"
        found = self.one(latest.aggregate(missing=missing.sum(), train=train.fill_null(False).sum()), inputs)
        return replace(orders, complete_sets=not found["missing"], has_train=bool(found["train"]))

    def has_duplicates(self, keys: ir.Table, inputs: Inputs, count: int) -> bool:
        """Say whether two of the ``count`` rows of ``keys`` are equal; exact.

        Two integer columns are compared as numbers, which takes a fraction of the time of grouping them.
        """
        if count < 2:
            return False
        if len(keys.columns) == 2 and all(keys[name].type().is_integer() for name in keys.columns):
            first, second = (keys[name].cast("int64") for name in keys.columns)
            ends = self.one(
                keys.aggregate(low=first.min(), high=first.max(), least=second.min(), most=second.max()), inputs
            )
            span = ends["most"] - ends["least"] + 1
            if (ends["high"] - ends["low"] + 1) * span < 2**62:
                pairs = self.batches(keys.select(first=first, second=second), inputs)
                numbers = ((_numbers(batch, 0), _numbers(batch, 1)) for batch in pairs)
                seen = repeats_in_groups(numbers, ends["least"], span)
                if seen is None or len(seen.scattered) > _LOOKED_AT_AGAIN:
                    return self._unsorted_repeat(keys, inputs, ends, count)
                if seen.repeated or not len(seen.scattered):
                    return seen.repeated
                keys = keys.filter(first.isin(seen.scattered.tolist()))
        names = list(keys.columns)
        groups = keys.group_by(names).aggregate(times=keys.count())
        return bool(self.one(groups.filter(groups.times > 1).aggregate(n=ibis._.count()), inputs)["n"])

    def _unsorted_repeat(self, keys: ir.Table, inputs: Inputs, ends: Mapping[str, int], count: int) -> bool:
        """Say whether two integer keys are equal, wherever they stand: a range of the first column after the other."""
        first, second = (keys[name].cast("int64") for name in keys.columns)
        span = ends["most"] - ends["least"] + 1
        step = -(-(ends["high"] - ends["low"] + 1) // -(-count // _KEYS_AT_ONCE))
        for low in range(ends["low"], ends["high"] + 1, step):
            some = keys.filter((first >= low) & (first < low + step)) if count > _KEYS_AT_ONCE else keys
            packed = (first - low) * span + (second - ends["least"])
            if has_repeats(_numbers(batch, 0) for batch in self.batches(some.select(packed=packed), inputs)):
                return True
        return False

    def table(self, query: ir.Table, inputs: Inputs) -> pa.Table:
        """Return all rows of a small result."""
        handle = self._engine.start(query, inputs)
        return pa.Table.from_batches(handle.batches(), schema=handle.schema)

    def one(self, query: ir.Table, inputs: Inputs) -> dict[str, int]:
        """Return the one row of an aggregate."""
        found: dict[str, int] = self.table(query, inputs).to_pylist()[0]
        return found

    def batches(self, query: ir.Table, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        """Return a large result, batch by batch."""
        return self._engine.start(query, inputs).batches()


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders that lines may belong to: those of the shop but the ``removed`` ones, and those delivered now."""

    shop: Scan | None
    new: CheckedRows | None
    removed: Scan | None = None

    @property
    def inputs(self) -> Mapping[str, Scan]:
        """What ``ids`` reads."""
        found = {scan.table: scan for scan in (self.shop, self.removed) if scan is not None}
        if self.new is not None:
            found[self.new.scan.table] = self.new.scan
        return found

    @property
    def whole_numbers(self) -> bool:
        """Whether all their ids are whole numbers."""
        stored = self.shop is None or pa.types.is_integer(self.shop.schema.field("order_id").type)
        return stored and (self.new is None or "order_id" not in self.new.text_ids)

    def select(self) -> exp.Query:
        """Return the ids as ``known_order``, as BIGINT where all are whole numbers, else as text; some twice."""
        column = f"CAST(order_id AS {'bigint' if self.whole_numbers else 'varchar'}) AS known_order"
        parts: list[exp.Select] = []
        if self.shop is not None:
            stored = exp.select(column, dialect="athena").from_(exp.to_table(self.shop.table, dialect="athena"))
            if self.removed is not None:
                gone = exp.select("order_id").from_(exp.to_table(self.removed.table, dialect="athena"))
                stored = stored.where(exp.not_(exp.column("order_id").isin(query=gone)))
            parts.append(stored)
        if self.new is not None:
            new = exp.select(column, dialect="athena").from_(exp.to_table(self.new.scan.table, dialect="athena"))
            parts.append(new if self.new.typed else new.where(f"{REASON} IS NULL AND {DROPPED} IS NULL"))
        return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)

    def ids(self, kind: str = "string") -> ir.Table:
        """Return the ids as ``known_order``, as text or as ``int64``; an id may stand there twice."""
        parts = []
        if self.shop is not None:
            stored = unbound(self.shop)
            if self.removed is not None:
                stored = stored.anti_join(unbound(self.removed), "order_id")
            parts.append(stored.select(known_order=stored.order_id.cast(kind)))
        if self.new is not None:
            parts.append(self.new.good_rows().select(known_order=ibis._.order_id.cast(kind)))
        return reduce(lambda one, other: one.union(other), parts)


def _numbers(batch: pa.RecordBatch, column: int) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = batch.column(column).to_numpy(zero_copy_only=False)
    return numbers


def is_integer(text: ir.StringValue) -> ir.BooleanValue:
    """Say whether a text is a BIGINT as BIGINT is written: no sign but ``-``, no leading zero."""
    return (text.try_cast("int64").cast("string") == text).fill_null(False)


def _only(rows: exp.Select, column: str, wanted: Scan) -> exp.Select:
    values = exp.select(f"CAST({column} AS varchar)", dialect="athena").from_(
        exp.to_table(wanted.table, dialect="athena")
    )
    return exp.select("*").from_(rows.subquery("rows")).where(exp.column(column).isin(query=values))


def _left_out(rows: exp.Select, names: Sequence[str], why: Mapping[int, str]) -> exp.Select:
    """Let all lines of some files be dropped, whatever else is wrong with them."""
    reasons = exp.Case()
    for number, reason in why.items():
        reasons = reasons.when(exp.column(FILE).eq(number), exp.Literal.string(reason))
    left = exp.column(FILE).isin(*why)
    columns: list[exp.Expr] = []
    for name in names:
        if name == REASON:
            columns.append(exp.alias_(exp.Case().when(exp.not_(left), exp.column(REASON)), REASON))
        elif name == DROPPED:
            columns.append(exp.alias_(reasons.else_(exp.column(DROPPED)), DROPPED))
        else:
            columns.append(exp.column(name))
    return exp.select(*columns).from_(rows.subquery("rows"))


def _with_unknown_marked(rows: exp.Query, names: Sequence[str], known: Orders) -> exp.Select:
    order = "order_id"
    if known.whole_numbers:
        # An id that is no whole number, as they are written, is none of these orders.
        order = (
            "CASE WHEN CAST(TRY_CAST(order_id AS bigint) AS varchar) = order_id THEN TRY_CAST(order_id AS bigint) END"
        )
    ids = exp.select("known_order").from_(known.select().subquery("known")).where("known_order IS NOT NULL")
    there: exp.Expr = exp.maybe_parse(order, dialect="athena").isin(query=ids)
    marked = exp.select("*", exp.alias_(exp.func("COALESCE", there, exp.false()), "is_known"))
    unknown = f"{DROPPED} IS NULL AND NOT is_known"
    before, after = (exp.Literal.string(text).sql(dialect="athena") for text in (NO_ORDER, "'"))
    message = f"{before} || order_id || {after}"
    reason = f"CASE WHEN {REASON} IS NOT NULL THEN {REASON} WHEN {unknown} THEN {message} END"
    columns = [f"{reason} AS {REASON}" if name == REASON else name for name in names]
    return exp.select(*columns, dialect="athena").from_(marked.from_(rows.subquery("rows")).subquery("marked"))
