"""What each step of the pipeline does in a shop home."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextbasket.app.shop import Shop, new_id, now
from nextbasket.definitions.store import DefinitionKind
from nextbasket.errors import InputError, NotFoundError, UsageError
from nextbasket.features.builds import DATABASES, AsOf
from nextbasket.features.job import FEATURE_TABLE, FINAL_QUERIES
from nextbasket.lake.base import Zone
from nextbasket.model.definition import ModelDefinition, model_named
from nextbasket.model.evaluate import Evaluated, evaluate
from nextbasket.model.inputs import (
    FEATURES,
    FINAL_FEATURES,
    LINES,
    ORDERS,
    SERVING_FEATURES,
    SERVING_FINAL_FEATURES,
    ModelInputs,
)
from nextbasket.model.registry import ModelCard
from nextbasket.model.score import score
from nextbasket.model.train import Trained, TrainingSettings, train
from nextbasket.pipeline.steps import Step
from nextbasket.progress import Progress
from nextbasket.version import __version__

_GENERATED = "generated"
_TABLE = (FEATURE_TABLE,)
_MODELS = {
    "model:baseline-sample": ("baseline", False),
    "model:baseline": ("baseline", True),
    "model:final": ("final", True),
}
"""What the pipeline's model names stand for: a model, and whether it saw all shoppers."""


class Actions:
    """Performs the steps in one shop.

    ``source`` is what ``land`` copies in; without one an empty home gets a generated shop of ``shoppers`` shoppers.
    """

    def __init__(self, shop: Shop, source: Sequence[Path] = (), shoppers: int | None = None) -> None:
        self._shop = shop
        self._source = tuple(source)
        self._shoppers = shoppers
        self._perform: Mapping[str, Callable[[str, Progress], Mapping[str, Any]]] = {
            "land": self._land,
            "crawl": lambda _, progress: self._shop.crawler.crawl(progress=progress).as_json(),
            "load": self._load,
            "prepare-training": lambda run_id, progress: self._prepare(AsOf.TRAINING, run_id, progress),
            "prepare-serving": lambda run_id, progress: self._prepare(AsOf.SERVING, run_id, progress),
            "features-training": lambda run_id, progress: self._features(AsOf.TRAINING, _TABLE, run_id, progress),
            "features-serving": lambda run_id, progress: self._features(AsOf.SERVING, _TABLE, run_id, progress),
            "final-training": lambda run_id, progress: self._features(AsOf.TRAINING, FINAL_QUERIES, run_id, progress),
            "final-serving": lambda run_id, progress: self._features(AsOf.SERVING, FINAL_QUERIES, run_id, progress),
            "train-sample": lambda _, progress: self._train("model:baseline-sample", progress),
            "train-baseline": lambda _, progress: self._train("model:baseline", progress),
            "train-final": lambda _, progress: self._train("model:final", progress),
            "evaluate": self._evaluate,
            "score": self._score,
        }

    # --- what the pipeline asks -----------------------------------------------------------------------------------

    def perform(self, step: Step, run_id: str, progress: Progress) -> Mapping[str, Any]:
        """Do the step and return what it reports."""
        return self._perform[step.name](run_id, progress)

    def parameters(self, step: Step) -> Mapping[str, Any]:
        """Return what a step's result depends on beside its inputs."""
        settings = self._shop.settings
        common: dict[str, Any] = {"code": __version__}
        if step.name == "land":
            return common | {"source": [_listing(path) for path in self._source], "shoppers": self._shoppers}
        if step.name == "crawl":
            return common | {"crawler": settings.crawler.model_dump(mode="json")}
        if step.name == "load":
            return common | {"mappings": self._texts(DefinitionKind.MAPPINGS)}
        if step.name.startswith(("prepare", "features", "final")):
            return common | {
                "recipes": self._texts(DefinitionKind.RECIPES),
                "queries": self._texts(DefinitionKind.QUERIES),
            }
        if step.name.startswith("train"):
            return common | {
                "seed": settings.seed,
                "fraction": settings.model.sample_fraction if step.name == "train-sample" else 1.0,
                "models": {name: str(model_named(name)) for name in ("baseline", "final")},
            }
        return common | {"seed": settings.seed, "live": settings.model.live}

    def version(self, name: str) -> str | None:
        """Return the current version of a table, of the landed files, of their definitions, or of a model."""
        if name == "landing":
            return self._landing_version()
        if name == "landing.*":
            found = [str(definition) for definition in self._shop.catalog.tables("landing")]
            return _digest(found) if found else None
        if name.startswith("model:"):
            try:
                return self.card(name).full_name
            except NotFoundError:
                return None
        try:
            snapshot = self._shop.catalog.scan(name).snapshot_id
        except NotFoundError:
            return None
        return None if snapshot is None else str(snapshot)

    # --- the steps ------------------------------------------------------------------------------------------------

    def _land(self, _run_id: str, progress: Progress) -> Mapping[str, Any]:
        shop = self._shop
        if self._source:
            return shop.landing.land(self._source, progress=progress).as_json()
        text = shop.catalog.state(_GENERATED)
        begun = None if text is None else json.loads(text)
        holds_data = next(iter(shop.lake.list(Zone.LANDING)), None) is not None
        if self._shoppers is not None and (holds_data or begun) and (begun or {}).get("shoppers") != self._shoppers:
            raise UsageError(
                f"the home {shop.home} already holds a shop, and --shoppers makes a new one; choose another --home."
            )
        if begun is None and holds_data:
            return {"landed": [], "known": [], "ignored": []}
        if begun is None:
            shoppers = self._shoppers or shop.settings.sample.shoppers
            begun = {"shoppers": shoppers, "seed": shop.settings.seed, "landed": False}
            shop.catalog.set_state(_GENERATED, json.dumps(begun))
        report: dict[str, Any] = {"landed": [], "known": [], "ignored": []}
        if not begun["landed"]:
            from nextbasket.grocery.sample import generate  # only here: a run of every day generates nothing

            folder = shop.scratch / f"sample-{new_id()}"
            try:
                generate(begun["shoppers"], begun["seed"], folder, progress)
                report = shop.landing.land([folder], progress=progress).as_json()
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            shop.catalog.set_state(_GENERATED, json.dumps({**begun, "landed": True}))
        return report | {"generated": self.generated}

    def _load(self, run_id: str, progress: Progress) -> Mapping[str, Any]:
        report = self._shop.loader.load(run_id, progress)
        empty = [name for name in (ORDERS, LINES) if not self._shop.rows_of(name)]
        if empty:
            raise InputError(
                f"no line could be loaded into {' and '.join(empty)}: the files in the home's quarantine/ hold the "
                "lines and their reasons; land corrected files."
            )
        return report.as_json()

    @property
    def generated(self) -> Mapping[str, int] | None:
        """Shoppers and seed of the generated shop that this home started with; None where none was generated."""
        text = self._shop.catalog.state(_GENERATED)
        if text is None:
            return None
        begun = json.loads(text)
        return {"shoppers": begun["shoppers"], "seed": begun["seed"]}

    def _prepare(self, as_of: AsOf, run_id: str, progress: Progress) -> Mapping[str, Any]:
        return self._rows(as_of, self._shop.features.prepare(as_of, run_id, progress))

    def _features(self, as_of: AsOf, queries: Sequence[str], run_id: str, progress: Progress) -> Mapping[str, Any]:
        return self._rows(as_of, self._shop.features.build(as_of, run_id, progress, queries))

    def _rows(self, as_of: AsOf, tables: Iterable[str]) -> Mapping[str, Any]:
        names = [f"{DATABASES[as_of]}.{table}" for table in tables]
        return {"rows": {name: self._shop.rows_of(name) for name in names}}

    def _train(self, name: str, progress: Progress) -> Mapping[str, Any]:
        model, everyone = _MODELS[name]
        trained = self.train(model, 1.0 if everyone else self._shop.settings.model.sample_fraction, progress)
        return {"model": trained.card.full_name, "rounds": trained.card.rounds, "new": trained.new}

    def train(self, model: str, fraction: float, progress: Progress) -> Trained:
        """Train one model on a fraction of the shoppers; the version already there when nothing changed."""
        shop = self._shop
        definition = model_named(model)
        settings = TrainingSettings(
            threads=shop.threads,
            environment=dict(os.environ),
            scratch=shop.scratch,
            now=now,
            split=shop.split,
            seed=shop.settings.seed,
            generated=self.generated is not None,
        )
        return train(
            definition, self._inputs(definition), shop.registry, settings, fraction=fraction, progress=progress
        )

    def _inputs(self, definition: ModelDefinition) -> ModelInputs:
        tables = [ORDERS, LINES, FEATURES, *((FINAL_FEATURES,) if definition.final_features else ())]
        return ModelInputs(self._shop.engine, self._shop.catalog, tables)

    def card(self, name: str) -> ModelCard:
        """Return the newest card of one of the pipeline's models (``model:NAME``); raises NotFoundError."""
        model, everyone = _MODELS[name]
        fraction = 1.0 if everyone else self._shop.settings.model.sample_fraction
        return self._shop.registry.latest(model_named(model).registered_name(fraction))

    def _evaluate(self, _run_id: str, progress: Progress) -> Mapping[str, Any]:
        found = self.evaluate(progress)
        report = self._shop.registry.path(found.cards[0].name, found.cards[0].version) / "report.html"
        return {
            "held_out_shoppers": found.shoppers,
            "candidates": found.candidates,
            "metrics": {
                name: {metric: asdict(figure) for metric, figure in figures.items()}
                for name, figures in found.metrics.items()
            },
            "report": str(report) if report.exists() else None,
        }

    def evaluate(self, progress: Progress) -> Evaluated:
        """Measure the newest version of each of the pipeline's models, the live one first."""
        shop = self._shop
        cards = [self.card(name) for name in _MODELS if self.version(name) is not None]
        cards.sort(key=lambda card: card.name != shop.settings.model.live)
        inputs = ModelInputs(shop.engine, shop.catalog, [ORDERS, LINES, FEATURES, FINAL_FEATURES])
        return evaluate(
            inputs, shop.registry, cards, shop.split, seed=shop.settings.seed, threads=shop.threads, progress=progress
        )

    def _score(self, run_id: str, progress: Progress) -> Mapping[str, Any]:
        shop = self._shop
        predictor = shop.registry.load(shop.settings.model.live, threads=shop.threads)
        inputs = ModelInputs(shop.engine, shop.catalog, [SERVING_FEATURES, SERVING_FINAL_FEATURES])
        return asdict(score(inputs, predictor, shop.catalog, shop.lake, run_id=run_id, progress=progress))

    # --- versions -------------------------------------------------------------------------------------------------

    def _landing_version(self) -> str | None:
        files = [(ref.key, ref.size, ref.modified.isoformat()) for ref in self._shop.lake.list(Zone.LANDING)]
        return _digest(files) if files else None

    def _texts(self, kind: DefinitionKind) -> str:
        definitions = self._shop.definitions
        return _digest([(name, definitions.text(kind, name)) for name in definitions.names(kind)])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _listing(path: Path) -> list[tuple[str, int, int]]:
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()]
