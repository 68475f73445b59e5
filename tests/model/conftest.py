"""One small shop with trained models, shared by the tests that only read it."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from nextbasket.model.definition import BASELINE, FINAL
from nextbasket.model.evaluate import Evaluated, evaluate
from nextbasket.model.inputs import FEATURES, FINAL_FEATURES, LINES, ORDERS, ModelInputs
from nextbasket.model.registry import ModelCard, Registry
from nextbasket.model.train import TrainingSettings, train

from .shop import MOMENT, Shop, fill, open_shop


@dataclass(frozen=True, slots=True)
class TrainedShop:
    """A shop, its registry with baseline and final, and their evaluation."""

    shop: Shop
    inputs: ModelInputs
    registry: Registry
    settings: TrainingSettings
    baseline: ModelCard
    final: ModelCard
    evaluated: Evaluated


def training_inputs(shop: Shop) -> ModelInputs:
    return ModelInputs(shop.engine, shop.catalog, [ORDERS, LINES, FEATURES, FINAL_FEATURES])


def training_settings(home: Path) -> TrainingSettings:
    return TrainingSettings(
        threads=1, environment=dict(os.environ), scratch=home / "scratch", now=lambda: MOMENT, generated=True
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    home = tmp_path_factory.mktemp("trained")
    shop = open_shop(home)
    fill(shop, shoppers=900)
    inputs, registry, settings = training_inputs(shop), Registry(home / "models"), training_settings(home)
    baseline = train(BASELINE, inputs, registry, settings).card
    final = train(FINAL, inputs, registry, settings).card
    evaluated = evaluate(inputs, registry, [final, baseline], settings.split, resamples=50)
    return TrainedShop(shop, inputs, registry, settings, baseline, final, evaluated)
