"""The feature job: run the feature recipes, join their tables, and keep the result for training and for serving."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import sqlglot
from sqlglot import exp

from nextbasket.catalog.base import Catalog, CommitMode, Scan, Snapshot
from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.features.baseline import BASELINE_FEATURES, KEYS
from nextbasket.features.builds import DATABASES, AsOf, Build, build_of
from nextbasket.features.lines import write_lines
from nextbasket.progress import Progress, silent
from nextbasket.query.workgroup import Workgroup
from nextbasket.recipes.parse import parse
from nextbasket.recipes.run import RecipeJob, make_way

RECIPES: Mapping[str, str] = {
    "user_features_1": "orders",
    "user_features_2": "order_products_prior",
    "up_features": "order_products_prior",
    "prd_features": "order_products_prior",
}
"""The feature recipes and the history each one reads; the table it makes has the recipe's name."""

FEATURE_TABLE = "feature_table"
"""The baseline's features."""

FINAL_FEATURES = "final_features"
"""The final model's own features."""

FINAL_QUERIES: tuple[str, ...] = (
    "final_targets",
    "final_orders",
    "final_users",
    "final_pairs",
    "final_hazards",
    "final_products",
    "final_product_dows",
    FINAL_FEATURES,
)
"""The queries that build the final model's features, in order; the table each one makes has the query's name."""

QUERIES: tuple[str, ...] = (FEATURE_TABLE, *FINAL_QUERIES)
"""All queries that build feature tables, in order."""

INPUTS_KEY = "nextbasket.inputs"
"""The key in a commit's summary under which the snapshots of what was read stand, as JSON by table."""

_SHOP_TABLES: Mapping[AsOf, tuple[str, ...]] = {
    AsOf.TRAINING: ("shop.orders", "shop.order_products_prior", "shop.products"),
    AsOf.SERVING: ("shop.orders", "shop.order_products_prior", "shop.order_products", "shop.products"),
}


class FeatureJob:
    """Builds the feature tables of one home.

    Every table is committed whole under the run id it was asked for: asking again with the same id changes nothing.
    What a run reads is pinned to the snapshots that were current when it began and noted in each commit's summary.
    """

    def __init__(self, workgroup: Workgroup, catalog: Catalog, definitions: Definitions) -> None:
        self._workgroup = workgroup
        self._catalog = catalog
        self._definitions = definitions

    def prepare(self, as_of: AsOf | str, run_id: str, progress: Progress = silent) -> dict[str, Snapshot]:
        """Run the feature recipes over a build's history; returns the snapshot of each table by name."""
        moment = AsOf(as_of)
        pinned = {name: self._catalog.scan(name) for name in _SHOP_TABLES[moment]}
        build = _build(moment, pinned)
        job = RecipeJob(self._workgroup, self._catalog)
        snapshots = {}
        for position, (name, source) in enumerate(RECIPES.items()):
            progress(f"recipe {name}", position / len(RECIPES))
            recipe = parse(self._definitions.text(DefinitionKind.RECIPES, name), name)
            run = job.run(
                recipe,
                build.sources[source],
                f"{build.database}.{name}",
                run_id=run_id,
                summary=_summary(moment, pinned),
                overrides=pinned,
            )
            snapshots[name] = run.snapshot
        progress("recipes done", 1.0)
        return snapshots

    def build(
        self, as_of: AsOf | str, run_id: str, progress: Progress = silent, queries: Sequence[str] = QUERIES
    ) -> dict[str, Snapshot]:
        """Join a build's recipe tables into its feature tables; returns the snapshot of each table by name.

        ``queries`` are the tables to build, in an order in which each finds what it reads.
        """
        moment = AsOf(as_of)
        database = DATABASES[moment]
        pinned = {name: self._catalog.scan(name) for name in _SHOP_TABLES[moment]}
        pinned |= {f"{database}.{name}": self._catalog.scan(f"{database}.{name}") for name in RECIPES}
        build = _build(moment, pinned)
        if FEATURE_TABLE not in queries:
            pinned[f"{database}.{FEATURE_TABLE}"] = self._catalog.scan(f"{database}.{FEATURE_TABLE}")
        snapshots = {}
        for position, name in enumerate(queries):
            progress(f"query {name}", position / len(queries))
            table = f"{database}.{name}"
            query = build.bind(self._definitions.text(DefinitionKind.QUERIES, name))
            schema = self._workgroup.describe(query, overrides=pinned)
            make_way(self._catalog, table, schema)
            snapshots[name] = self._workgroup.materialise(
                query,
                table,
                run_id=run_id,
                mode=CommitMode.OVERWRITE,
                summary=_summary(moment, pinned),
                schema=schema,
                overrides=pinned,
            )
            pinned[table] = self._catalog.scan(table, snapshot_id=snapshots[name].id)
        progress("features done", 1.0)
        return snapshots

    def export(self, as_of: AsOf | str, path: Path, *, header: bool = False, keys: bool = False) -> int:
        """Write the 18 values of every candidate as CSV lines in the contract's order; returns the rows.

        ``keys`` puts user_id and product_id in front; a missing value is empty.
        """
        columns = (*KEYS, *BASELINE_FEATURES) if keys else BASELINE_FEATURES
        handle = self._workgroup.start(_export_query(DATABASES[AsOf(as_of)], columns))
        return write_lines(handle, path, header=header)


def _build(moment: AsOf, pinned: Mapping[str, Scan]) -> Build:
    def schema(name: str) -> pa.Schema:
        return pinned[name].schema

    return build_of(moment, schema)


def _summary(moment: AsOf, pinned: Mapping[str, Scan]) -> dict[str, str]:
    snapshots = {name: scan.snapshot_id for name, scan in sorted(pinned.items())}
    return {"nextbasket.as_of": moment.value, INPUTS_KEY: json.dumps(snapshots)}


def _export_query(database: str, columns: Sequence[str]) -> str:
    # In order, so that the same tables give the same file.
    query = sqlglot.select(*columns).from_(exp.to_table(f"{database}.{FEATURE_TABLE}")).order_by(*KEYS)
    return query.sql(dialect="athena")
