"""What the models are: which features they take, their parameters, how they stop growing and when they say "likely"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nextbasket.errors import NotFoundError

FREQUENCY = "up_order_rate"
"""The feature by which the frequency ranking sorts: the share of the shopper's orders that held the product."""


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """One model: ``parameters`` are XGBoost's by SageMaker's names, ``rounds`` the most trees it may grow.

    ``final_features`` adds the columns of ``final_features`` to the baseline's. ``early_stopping`` is the number of
    rounds without a better log loss on the validation shoppers after which growing ends; None grows all rounds.
    ``threshold`` is the probability above which a product is "likely"; None means: choose the one with the highest
    mean F1 per order on the validation shoppers.
    """

    name: str
    title: str
    final_features: bool
    rounds: int
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    early_stopping: int | None = None
    threshold: float | None = None

    def registered_name(self, fraction: float) -> str:
        """Return the registry's name: a model of a sample has its own, so that ``latest`` never mixes the two."""
        return self.name if fraction >= 1 else f"{self.name}-{fraction * 100:g}pct"


BASELINE = ModelDefinition(
    name="baseline",
    title="The published baseline: 18 features, 300 rounds",
    final_features=False,
    rounds=300,
    parameters=MappingProxyType(
        {
            "objective": "binary:logistic",
            "max_depth": 6,
            "eta": 0.1,
            "gamma": 0.7,
            "colsample_bytree": 0.95,
            "subsample": 0.75,
            "min_child_weight": 10,
            "alpha": 2e-5,
            "lambda": 10,
        }
    ),
    threshold=0.21,
)
"""The published model, its parameters and its verdict unchanged."""

FINAL = ModelDefinition(
    name="final",
    title="The baseline's features and those of time, habit and the coming order",
    final_features=True,
    rounds=600,
    early_stopping=30,
    parameters=MappingProxyType(
        {
            "objective": "binary:logistic",
            "max_depth": 6,
            "eta": 0.08,
            "gamma": 0.7,
            "colsample_bytree": 0.7,
            "subsample": 0.8,
            "min_child_weight": 20,
            "alpha": 2e-5,
            "lambda": 10,
        }
    ),
)
"""The model that is deployed; docs/model.md says how its parameters were chosen."""

MODELS: Mapping[str, ModelDefinition] = MappingProxyType({model.name: model for model in (BASELINE, FINAL)})
"""Every model by name."""


def model_named(name: str) -> ModelDefinition:
    """Return a model's definition; raises NotFoundError that lists the known names."""
    if name not in MODELS:
        raise NotFoundError(f"there is no model '{name}'; known: {', '.join(MODELS)}.")
    return MODELS[name]
