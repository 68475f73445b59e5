"""The pipeline's declaration: which steps there are, what each reads and writes, and in which order they run.

Everything that needs the order (the ``run`` command, automation, the AWS state machine) reads it from here.
A name in ``reads`` and ``writes`` is a table (``database.table``), ``landing`` (the landed files), ``landing.*`` (their
crawled definitions) or ``model:NAME`` (the newest version of a model in the registry).
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it does in words, which steps come before it, what it reads and what it writes."""

    name: str
    does: str
    after: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


_SHOP = (
    "shop.aisles",
    "shop.departments",
    "shop.products",
    "shop.orders",
    "shop.order_products",
    "shop.order_products_prior",
)
_RECIPE_TABLES = ("user_features_1", "user_features_2", "up_features", "prd_features")


def _features(database: str, *tables: str) -> tuple[str, ...]:
    return tuple(f"{database}.{table}" for table in tables)


PIPELINE: tuple[Step, ...] = (
    Step("land", "copy the source's files into the lake", (), (), ("landing",)),
    Step("crawl", "find tables and types in the landed files", ("land",), ("landing",), ("landing.*",)),
    Step("load", "check every line and write typed tables", ("crawl",), ("landing", "landing.*"), _SHOP),
    Step(
        "prepare-training",
        "run the feature recipes on prior orders",
        ("load",),
        ("shop.orders", "shop.order_products_prior"),
        _features("features", *_RECIPE_TABLES),
    ),
    Step(
        "features-training",
        "join the baseline's training features",
        ("prepare-training",),
        ("shop.orders", "shop.order_products_prior", *_features("features", *_RECIPE_TABLES)),
        _features("features", "feature_table"),
    ),
    Step(
        "final-training",
        "build the final model's training features",
        ("features-training",),
        ("shop.orders", "shop.products", "shop.order_products_prior", "features.feature_table"),
        _features("features", "final_features"),
    ),
    Step(
        "prepare-serving",
        "run the feature recipes on all orders",
        ("load",),
        ("shop.orders", "shop.order_products", "shop.order_products_prior"),
        _features("features_serving", *_RECIPE_TABLES),
    ),
    Step(
        "features-serving",
        "join the baseline's serving features",
        ("prepare-serving",),
        (
            "shop.orders",
            "shop.order_products",
            "shop.order_products_prior",
            *_features("features_serving", *_RECIPE_TABLES),
        ),
        _features("features_serving", "feature_table"),
    ),
    Step(
        "final-serving",
        "build the final model's serving features",
        ("features-serving",),
        (
            "shop.orders",
            "shop.products",
            "shop.order_products",
            "shop.order_products_prior",
            "features_serving.feature_table",
        ),
        _features("features_serving", "final_features"),
    ),
    Step(
        "train-sample",
        "train the baseline on a sample of the shoppers",
        ("features-training",),
        ("shop.orders", "shop.order_products", "features.feature_table"),
        ("model:baseline-sample",),
    ),
    Step(
        "train-baseline",
        "train the baseline on all shoppers",
        ("train-sample",),
        ("shop.orders", "shop.order_products", "features.feature_table"),
        ("model:baseline",),
    ),
    Step(
        "train-final",
        "train the final model on all shoppers",
        ("train-baseline", "final-training"),
        ("shop.orders", "shop.order_products", "features.feature_table", "features.final_features"),
        ("model:final",),
    ),
    Step(
        "evaluate",
        "measure all models on the held-out shoppers",
        ("train-final",),
        (
            "shop.orders",
            "shop.order_products",
            "features.feature_table",
            "features.final_features",
            "model:baseline-sample",
            "model:baseline",
            "model:final",
        ),
        (),
    ),
    Step(
        "score",
        "predict every shopper's next basket",
        ("final-serving", "train-final"),
        ("features_serving.feature_table", "features_serving.final_features", "model:final"),
        ("results.predictions", "results.next_baskets"),
    ),
)
"""All steps, in an order that respects ``after``."""


def step(name: str) -> Step:
    """Return the step of that name; raises KeyError."""
    return {one.name: one for one in PIPELINE}[name]


def until(names: Collection[str]) -> tuple[Step, ...]:
    """Return the named steps and all that come before them, in order; raises KeyError for an unknown name."""
    wanted: set[str] = set()
    waiting = [step(name) for name in names]
    while waiting:
        one = waiting.pop()
        wanted.add(one.name)
        waiting += [step(name) for name in one.after if name not in wanted]
    return tuple(one for one in PIPELINE if one.name in wanted)
