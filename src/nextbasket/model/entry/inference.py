"""Answer SageMaker's requests for one model; stands alone and needs only xgboost and numpy.

``text/csv`` without header, one row per line, empty for unknown, answers one probability per line.
``application/json`` ``{"instances": [[…], {"features": […]}, {"feature name": value, …}]}`` answers
``{"predictions": [{"probability": p, "likely": true}]}``. The model is read from XGBoost's own file, never a pickle.
"""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xgboost

CSV = "text/csv"
JSON = "application/json"


class Model(NamedTuple):
    """A loaded model: the trees, the names of its features in order, the probability above which it says likely."""

    booster: Any
    features: list[str]
    threshold: float


class Answer(NamedTuple):
    """The probabilities of one request and the verdict for each."""

    probabilities: npt.NDArray[np.float32]
    threshold: float


def model_fn(model_dir: str) -> Model:
    """Load the model from its folder."""
    folder = Path(model_dir)
    signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
    booster = xgboost.Booster(params={"nthread": 1}, model_file=str(folder / "model.ubj"))
    return Model(booster, list(signature["features"]), float(signature["threshold"]))


def input_fn(request_body: str | bytes, request_content_type: str) -> list[Any]:
    """Read a request's body into rows; raises ValueError that says what is wrong with it."""
    text = request_body.decode("utf-8") if isinstance(request_body, (bytes, bytearray)) else request_body
    kind = request_content_type.split(";")[0].strip().lower()
    if kind == CSV:
        rows: list[Any] = [row for row in csv.reader(io.StringIO(text)) if row]
    elif kind == JSON:
        try:
            document = json.loads(text)
        except json.JSONDecodeError as fault:
            raise ValueError(f"the body is no JSON: {fault}") from fault
        if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
            raise ValueError('the body must be {"instances": [...]}')
        rows = document["instances"]
    else:
        raise ValueError(f"content type {request_content_type} is not known; send {CSV} or {JSON}")
    if not rows:
        raise ValueError("the body holds no rows")
    return rows


def predict_fn(input_object: list[Any], model: Model) -> Answer:
    """Return the probability of every row."""
    rows = np.array([_row(values, index, model) for index, values in enumerate(input_object)], dtype=np.float32)
    return Answer(model.booster.inplace_predict(rows), model.threshold)


def output_fn(prediction: Answer, accept: str) -> str:
    """Write the answer in the accepted form; anything but JSON gets CSV."""
    if JSON in accept.lower():
        predictions = [
            {"probability": float(value), "likely": bool(value > prediction.threshold)}
            for value in prediction.probabilities
        ]
        return json.dumps({"predictions": predictions})
    return "".join(f"{float(value)!r}\n" for value in prediction.probabilities)


def _row(values: Any, index: int, model: Model) -> list[float]:
    if isinstance(values, dict) and isinstance(values.get("features"), list):
        values = values["features"]
    if isinstance(values, dict):
        unknown = sorted(set(values) - set(model.features))
        if unknown:
            raise ValueError(f"row {index + 1} has unknown features: {', '.join(unknown)}")
        values = [values.get(name) for name in model.features]
    if not isinstance(values, list) or len(values) != len(model.features):
        found = len(values) if isinstance(values, list) else type(values).__name__
        raise ValueError(f"row {index + 1} must have {len(model.features)} values, it has {found}")
    return [_number(value, index, name) for value, name in zip(values, model.features, strict=True)]


def _number(value: Any, index: int, name: str) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"row {index + 1}: {name} is {value!r}, which is no number") from None
    if math.isinf(number):
        raise ValueError(f"row {index + 1}: {name} is infinite")
    return number
