"""The rows a model learns from: every candidate of a shopper's train order, with its features and what came true.

A candidate is a product in the shopper's history; its label is 1 where the product stands in the lines of the
shopper's ``train`` order. Rows are ordered by shopper and product, so that the same tables give the same files.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nextbasket.errors import InputError, ModelError
from nextbasket.features.baseline import BASELINE_FEATURES
from nextbasket.model.definition import ModelDefinition
from nextbasket.model.inputs import FEATURES, FINAL_FEATURES, LINES, ORDERS, ModelInputs
from nextbasket.model.split import Part, Split
from nextbasket.progress import Progress, silent

LABEL = "label"
_ROWS_PER_GROUP = 131_072


@dataclass(frozen=True, slots=True)
class FeatureChoice:
    """Which columns of which tables a model reads: the baseline's from ``base``, the ``extra`` from the final's.

    ``left_out`` names columns that hold no value for any row, because the shop lacks what they are made of.
    """

    base: tuple[str, ...]
    extra: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All features in the model's order."""
        return self.base + self.extra

    @classmethod
    def of(cls, names: Iterable[str]) -> "FeatureChoice":
        """Return the choice that reads these features, each from the table that has it."""
        wanted = list(dict.fromkeys(names))
        return cls(
            base=tuple(name for name in wanted if name in BASELINE_FEATURES),
            extra=tuple(name for name in wanted if name not in BASELINE_FEATURES),
        )


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """What one channel holds: rows, rows with label 1, shoppers."""

    rows: int
    positives: int
    shoppers: int

    @property
    def teaches(self) -> bool:
        """Whether there are both bought and other candidates."""
        return 0 < self.positives < self.rows


def choose_features(definition: ModelDefinition, inputs: ModelInputs) -> FeatureChoice:
    """Return the columns a model uses; the final model leaves columns out that are null in every row.

    The baseline keeps its 18 whatever they hold: its line has a fixed form. Raises InputError for a missing one.
    """
    found = inputs.features(FEATURES)
    missing = [name for name in BASELINE_FEATURES if name not in found]
    if missing:
        raise InputError(f"the table {FEATURES} lacks the columns {', '.join(missing)}; run 'nextbasket features'.")
    if not definition.final_features:
        return FeatureChoice(BASELINE_FEATURES)
    extra = tuple(name for name in inputs.features(FINAL_FEATURES) if name not in BASELINE_FEATURES)
    empty = _empty_columns(inputs, FEATURES, BASELINE_FEATURES) | _empty_columns(inputs, FINAL_FEATURES, extra)
    return FeatureChoice(
        base=tuple(name for name in BASELINE_FEATURES if name not in empty),
        extra=tuple(name for name in extra if name not in empty),
        left_out=tuple(name for name in BASELINE_FEATURES + extra if name in empty),
    )


def candidates(inputs: ModelInputs, base_table: str, extra_table: str, features: FeatureChoice) -> ir.Table:
    """Return user_id, product_id and the features of all candidates of a build, as the 32-bit floats models read."""
    base = inputs.relation(base_table)
    columns = [base.user_id, base.product_id, *(_as_float(base[name]) for name in features.base)]
    if not features.extra:
        return base.select(*columns)
    extra = inputs.relation(extra_table)
    joined = base.left_join(extra, [base.user_id == extra.user_id, base.product_id == extra.product_id])
    return joined.select(*columns, *(_as_float(extra[name]) for name in features.extra))


def labelled(
    inputs: ModelInputs, features: FeatureChoice, split: Split, parts: Collection[Part], fraction: float = 1.0
) -> ir.Table:
    """Return user_id, product_id, label (0 or 1) and features of every labelled candidate, by shopper and product."""
    orders, lines = inputs.relation(ORDERS), inputs.relation(LINES)
    chosen = orders.filter(orders.eval_set == "train", split.condition(orders.user_id, parts, fraction))
    # A shop that calls several orders of one shopper 'train' still has one target, the latest.
    targets = chosen.group_by("user_id").agg(order_id=chosen.order_id.argmax(chosen.order_number))
    bought = lines.join(targets, "order_id").select("user_id", "product_id").distinct().mutate(bought=1)
    rows = candidates(inputs, FEATURES, FINAL_FEATURES, features).semi_join(targets, "user_id")
    joined = rows.left_join(bought, [rows.user_id == bought.user_id, rows.product_id == bought.product_id])
    label = bought.bought.notnull().cast("int8").name(LABEL)
    ordered = joined.select(rows.user_id, rows.product_id, label, *(rows[name] for name in features.names))
    return ordered.order_by("user_id", "product_id")


def _as_float(column: ir.Column) -> ir.Column:
    return column.cast("float32").name(column.get_name())


def write_channel(
    inputs: ModelInputs,
    features: FeatureChoice,
    split: Split,
    part: Part,
    folder: Path,
    *,
    fraction: float = 1.0,
    progress: Progress = silent,
) -> ChannelCounts:
    """Write one channel's Parquet file, ``label`` first and then the features, holding one row group in memory."""
    folder.mkdir(parents=True)
    kinds: dict[str, pa.DataType] = {LABEL: pa.int8(), **dict.fromkeys(features.names, pa.float32())}
    schema = pa.schema(kinds)
    rows = positives = shoppers = 0
    last: object = None
    with pq.ParquetWriter(folder / "part-0.parquet", schema, compression="snappy") as writer:
        for table in row_groups(inputs.batches(labelled(inputs, features, split, {part}, fraction))):
            ids = table.column("user_id")
            shoppers += shopper_starts(ids).size - (1 if ids[0].as_py() == last else 0)
            last = ids[-1].as_py()
            chosen = table.select(list(schema.names)).cast(schema)
            rows += chosen.num_rows
            positives += int(np.count_nonzero(chosen.column(LABEL).to_numpy()))
            writer.write_table(chosen, row_group_size=_ROWS_PER_GROUP)
            progress(f"{part.value} rows: {rows:,}", None)
    return ChannelCounts(rows, positives, shoppers)


def require_labels(counts: ChannelCounts, what: str) -> None:
    """Raise ModelError when a channel cannot teach anything: no rows, or only one kind of label."""
    if counts.rows == 0:
        raise ModelError(f"{what}: no shopper has both a history and a 'train' order; load more orders.")
    if counts.positives in (0, counts.rows):
        kind = "no" if counts.positives == 0 else "every"
        raise ModelError(
            f"{what}: {kind} candidate of {counts.shoppers:,} shoppers was bought again; load more orders."
        )


def shopper_starts(ids: "pa.ChunkedArray[Any]") -> npt.NDArray[np.int64]:
    """Return the index of each shopper's first row in ids that are grouped by shopper; works for every id type."""
    if len(ids) == 0:
        return np.empty(0, dtype=np.int64)
    if len(ids) == 1:
        return np.zeros(1, dtype=np.int64)
    changed = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)).to_numpy()
    return np.flatnonzero(np.concatenate(([True], changed))).astype(np.int64)


def feature_matrix(table: pa.Table, names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Return the named columns as a [rows, features] float32 matrix; null becomes NaN, which the trees know."""
    matrix = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        matrix[:, position] = table.column(name).to_numpy()
    return matrix


def row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather an engine's batches into tables of about one row group; empty batches are passed over."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if batch.num_rows == 0:
            continue
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _ROWS_PER_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _empty_columns(inputs: ModelInputs, table: str, names: tuple[str, ...]) -> set[str]:
    if not names:
        return set()
    relation = inputs.relation(table)
    row = inputs.table(relation.agg(**{name: relation[name].count() for name in names})).to_pylist()[0]
    return {name for name in names if row[name] == 0}
