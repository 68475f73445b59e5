"""Give a candidate's probability, and each feature's part in it."""

import json
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nextbasket.errors import ModelError

Rows = npt.NDArray[np.float32]


class Predictor(Protocol):
    """A loaded model. Adapter: ``XGBoostPredictor``."""

    @property
    def version(self) -> str:
        """The model and its version, for example ``final/3``."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features, in the order of a row's columns."""
        ...

    @property
    def threshold(self) -> float:
        """The probability above which a product is called likely."""
        ...

    def predict(self, rows: Rows) -> Rows:
        """Return the probability of each of the [n, k] rows as [n]; NaN is an unknown value."""
        ...

    def explain(self, rows: Rows) -> Rows:
        """Return [n, k + 1]: each feature's part in the log-odds, the base last; a row's sum is its log-odds."""
        ...


class XGBoostPredictor:
    """A model in XGBoost's own file. ``threads`` is 1 for single rows: more cost 80 times the time there."""

    def __init__(self, folder: Path, *, version: str, threads: int = 1) -> None:
        import xgboost  # takes a second, and most commands need no model

        try:
            signature = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
            self._booster = xgboost.Booster(params={"nthread": threads}, model_file=str(folder / "model.ubj"))
        except (OSError, ValueError, xgboost.core.XGBoostError) as fault:
            raise ModelError(f"the model in {folder} cannot be read: {fault}") from fault
        self._version = version
        self._names = tuple(signature["features"])
        self._threshold = float(signature["threshold"])

    @property
    def version(self) -> str:
        """The model and its version, for example ``final/3``."""
        return self._version

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features, in the order of a row's columns."""
        return self._names

    @property
    def threshold(self) -> float:
        """The probability above which a product is called likely."""
        return self._threshold

    def predict(self, rows: Rows) -> Rows:
        """Return the probability of each of the [n, k] rows as [n]; NaN is an unknown value."""
        self._check(rows)
        if rows.shape[0] == 0:
            return np.empty(0, dtype=np.float32)
        return np.asarray(self._booster.inplace_predict(rows), dtype=np.float32)

    def explain(self, rows: Rows) -> Rows:
        """Return [n, k + 1]: each feature's part in the log-odds, the base last; a row's sum is its log-odds."""
        import xgboost

        self._check(rows)
        matrix = xgboost.DMatrix(rows, feature_names=list(self._names))
        return np.asarray(self._booster.predict(matrix, pred_contribs=True), dtype=np.float32)

    def importance(self) -> dict[str, float]:
        """Return each feature's share of the loss that all splits together removed (total gain); shares sum to 1."""
        gains = self._booster.get_score(importance_type="total_gain")
        found = np.array([gains.get(name, 0.0) for name in self._names], dtype=np.float64)
        shares = found / (found.sum() or 1.0)
        return dict(zip(self._names, shares.tolist(), strict=True))

    def _check(self, rows: Rows) -> None:
        if rows.ndim != 2 or rows.shape[1] != len(self._names):
            raise ModelError(f"the model {self._version} takes rows of {len(self._names)} values, got {rows.shape}.")
