"""Score every candidate of every shopper and commit the predictions and the next baskets.

Two passes in bounded memory: the first predicts in whatever order the engine reads the features, the second sorts the
narrow result by shopper and probability, chooses each shopper's basket and writes both tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from nextbasket.catalog.base import ICEBERG, Catalog, Column, CommitMode, DataFile, Scan, TableDefinition
from nextbasket.errors import InputError, ModelError
from nextbasket.lake.base import Lake
from nextbasket.model.choose import choose_baskets
from nextbasket.model.inputs import SERVING_FEATURES, SERVING_FINAL_FEATURES, ModelInputs
from nextbasket.model.predictor import Predictor
from nextbasket.model.training_set import (
    FeatureChoice,
    candidates,
    feature_matrix,
    row_groups,
    shopper_starts,
)
from nextbasket.progress import Progress, silent

PREDICTIONS = "results.predictions"
NEXT_BASKETS = "results.next_baskets"

_STAGED = "staged.predictions"
_ROWS_PER_GROUP = 131_072


@dataclass(frozen=True, slots=True)
class Scored:
    """What scoring wrote: rows of each table, shoppers, and shoppers whose basket is "None"."""

    model_version: str
    predictions: int
    baskets: int
    shoppers: int
    empty_baskets: int


def score(
    inputs: ModelInputs,
    predictor: Predictor,
    catalog: Catalog,
    lake: Lake,
    *,
    run_id: str,
    progress: Progress = silent,
) -> Scored:
    """Predict all candidates of the serving build and overwrite results.predictions and results.next_baskets.

    Each table changes in one commit that carries ``run_id``; a repeated run id changes nothing a second time.
    """
    features = FeatureChoice.of(predictor.feature_names)
    _require(inputs, features)
    folder = lake.staging(run_id)
    definitions = _define(catalog)
    staged = _predict(inputs, predictor, features, folder, progress)
    sink = _Sink(folder, predictor.version, {name: catalog.scan(name).schema for name in definitions})
    try:
        sorted_rows = _sorted(inputs, staged)
        done = 0
        for table in _whole_shoppers(sorted_rows):
            sink.write(table)
            done += table.num_rows
            progress(f"chose baskets for {sink.shoppers:,} shoppers", done / max(staged.files[0].rows, 1))
    finally:
        sink.close()
        filesystem, path = _located(staged.files[0].uri)
        filesystem.delete_file(path)
    summary = {"model_version": predictor.version, "shoppers": str(sink.shoppers)}
    for name in definitions:
        catalog.commit(name, CommitMode.OVERWRITE, [sink.data_file(name)], run_id=run_id, summary=summary)
    return Scored(predictor.version, sink.rows[PREDICTIONS], sink.rows[NEXT_BASKETS], sink.shoppers, sink.empty_baskets)


def _require(inputs: ModelInputs, features: FeatureChoice) -> None:
    for table, names in ((SERVING_FEATURES, features.base), (SERVING_FINAL_FEATURES, features.extra)):
        missing = [name for name in names if name not in inputs.schema(table).names]
        if missing:
            raise InputError(
                f"the table {table} lacks the columns {', '.join(missing)} that the model was trained on; "
                "run 'nextbasket features' and 'nextbasket train' again."
            )


def _define(catalog: Catalog) -> tuple[str, ...]:
    kinds = {column.name: column.type for column in catalog.table(SERVING_FEATURES).columns}
    user, product = Column("user_id", kinds["user_id"]), Column("product_id", kinds["product_id"])
    probability = Column("probability", "double", "that the product is in the shopper's next order")
    version = Column("model_version", "string", "the model's name and version")
    place = Column("rank", "int", "place in the basket, from 1, the most probable first")
    for full_name, columns in (
        (PREDICTIONS, (user, product, probability, version)),
        (NEXT_BASKETS, (user, product, place, probability, version)),
    ):
        database, name = full_name.split(".")
        catalog.define(TableDefinition(database, name, columns, "", ICEBERG))
    return PREDICTIONS, NEXT_BASKETS


def _predict(
    inputs: ModelInputs, predictor: Predictor, features: FeatureChoice, folder: str, progress: Progress
) -> Scan:
    """Write (user_id, product_id, probability) of all candidates into one file that belongs to no table."""
    uri = f"{folder}/unsorted.parquet"
    base = inputs.schema(SERVING_FEATURES)
    # Plain fields: the field ids of the feature table mean nothing here.
    kinds = {"user_id": base.field("user_id").type, "product_id": base.field("product_id").type}
    schema = pa.schema([pa.field(name, kind) for name, kind in {**kinds, "probability": pa.float64()}.items()])
    query = candidates(inputs, SERVING_FEATURES, SERVING_FINAL_FEATURES, features)
    filesystem, path = _located(uri)
    rows = 0
    with pq.ParquetWriter(path, schema, filesystem=filesystem, compression="snappy") as writer:
        for table in row_groups(inputs.batches(query)):
            probabilities = predictor.predict(feature_matrix(table, features.names)).astype(np.float64)
            found = table.select(["user_id", "product_id"]).append_column("probability", pa.array(probabilities))
            writer.write_table(found.cast(schema), row_group_size=_ROWS_PER_GROUP)
            rows += table.num_rows
            progress(f"predicted {rows:,} candidates", None)
    if rows == 0:
        raise ModelError(f"the table {SERVING_FEATURES} holds no candidates; run 'nextbasket features' first.")
    size = filesystem.get_file_info(path).size
    return Scan(_STAGED, "parquet", (DataFile(uri, rows, size),), schema)


def _sorted(inputs: ModelInputs, staged: Scan) -> Iterator[pa.RecordBatch]:
    with_staged = inputs.with_scan(staged)
    rows = with_staged.relation(_STAGED)
    return with_staged.batches(rows.order_by("user_id", rows.probability.desc(), "product_id"))


def _whole_shoppers(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather sorted rows into tables that hold all rows of each of their shoppers."""
    carried: pa.Table | None = None
    for table in row_groups(batches):
        joined = table if carried is None else pa.concat_tables([carried, table])
        border = int(shopper_starts(joined.column("user_id"))[-1])
        if border:
            yield joined.slice(0, border)
        carried = joined.slice(border)
    if carried is not None:
        yield carried


class _Sink:
    """The two result files of one run, written shopper by shopper."""

    def __init__(self, folder: str, version: str, schemas: Mapping[str, pa.Schema]) -> None:
        self._version = version
        self._schemas = schemas
        self._uris = {name: f"{folder}/{name.split('.')[1]}-0.parquet" for name in schemas}
        self._filesystem, _ = _located(folder)
        self._writers = {
            name: pq.ParquetWriter(self._path(name), schema, filesystem=self._filesystem, compression="zstd")
            for name, schema in schemas.items()
        }
        self.rows = dict.fromkeys(schemas, 0)
        self.shoppers = 0
        self.empty_baskets = 0

    def write(self, table: pa.Table) -> None:
        """Write the predictions of whole shoppers, best first, and the baskets chosen from them."""
        probabilities = table.column("probability").to_numpy()
        starts = np.append(shopper_starts(table.column("user_id")), table.num_rows)
        sizes = choose_baskets(probabilities, starts).sizes
        places = np.arange(table.num_rows) - np.repeat(starts[:-1], np.diff(starts))
        inside = places < np.repeat(sizes, np.diff(starts))
        self._append(PREDICTIONS, table, {})
        self._append(NEXT_BASKETS, table.filter(pa.array(inside)), {"rank": places[inside] + 1})
        self.shoppers += starts.size - 1
        self.empty_baskets += int(np.count_nonzero(sizes == 0))

    def close(self) -> None:
        """Finish both files."""
        for writer in self._writers.values():
            writer.close()

    def data_file(self, name: str) -> DataFile:
        """Return the finished file of one table."""
        return DataFile(self._uris[name], self.rows[name], self._filesystem.get_file_info(self._path(name)).size)

    def _append(self, name: str, table: pa.Table, more: Mapping[str, npt.NDArray[np.int64]]) -> None:
        if table.num_rows == 0:
            return  # an empty row group would lack the statistics a commit reads
        for column, numbers in more.items():
            table = table.append_column(column, pa.array(numbers))
        table = table.append_column("model_version", pa.repeat(pa.scalar(self._version), table.num_rows))
        schema = self._schemas[name]
        self._writers[name].write_table(table.select(schema.names).cast(schema), row_group_size=_ROWS_PER_GROUP)
        self.rows[name] += table.num_rows

    def _path(self, name: str) -> str:
        return _located(self._uris[name])[1]


def _located(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a URI and the path in it; a plain path is taken as it is, never decoded."""
    if "://" not in uri:
        return fs.LocalFileSystem(), uri
    filesystem, path = fs.FileSystem.from_uri(uri)
    return filesystem, path
