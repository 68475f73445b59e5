"""Labelled candidates of one part of the shoppers with the probability each model gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nextbasket.model.definition import FREQUENCY
from nextbasket.model.inputs import ModelInputs
from nextbasket.model.metrics import Outcomes
from nextbasket.model.predictor import Predictor
from nextbasket.model.split import Part, Split
from nextbasket.model.training_set import (
    LABEL,
    FeatureChoice,
    feature_matrix,
    labelled,
    row_groups,
    shopper_starts,
)
from nextbasket.progress import Progress, silent

_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Candidates by shopper and product: what came true, each model's scores [n] by name, the ranking's frequency."""

    outcomes: Outcomes
    scores: Mapping[str, npt.NDArray[np.float32]]
    frequency: npt.NDArray[np.float32]


def scored_rows(
    inputs: ModelInputs,
    split: Split,
    part: Part,
    predictors: Mapping[str, Predictor],
    *,
    fraction: float = 1.0,
    progress: Progress = silent,
) -> ScoredRows:
    """Score one part's labelled candidates with every model in one pass; only labels and scores are kept."""
    features = FeatureChoice.of([FREQUENCY, *(n for model in predictors.values() for n in model.feature_names)])
    starts: list[npt.NDArray[np.int64]] = []
    labels: list[npt.NDArray[np.bool_]] = []
    frequency: list[npt.NDArray[np.float32]] = []
    scores: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in predictors}
    rows = 0
    last: object = None
    for table in row_groups(inputs.batches(labelled(inputs, features, split, {part}, fraction))):
        ids = table.column("user_id")
        begins = shopper_starts(ids)
        starts.append((begins[1:] if ids[0].as_py() == last else begins) + rows)
        last = ids[-1].as_py()
        rows += table.num_rows
        labels.append(table.column(LABEL).to_numpy() == 1)
        frequency.append(feature_matrix(table, (FREQUENCY,))[:, 0])
        for name, model in predictors.items():
            scores[name].append(model.predict(feature_matrix(table, model.feature_names)))
        progress(f"scored {rows:,} candidates", None)
    return ScoredRows(
        Outcomes(_joined(labels, np.bool_), np.append(_joined(starts, np.int64), rows)),
        {name: _joined(values, np.float32) for name, values in scores.items()},
        np.nan_to_num(_joined(frequency, np.float32), nan=0.0),
    )


def _joined(parts: Sequence[npt.NDArray[_Kind]], kind: type[_Kind]) -> npt.NDArray[_Kind]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
