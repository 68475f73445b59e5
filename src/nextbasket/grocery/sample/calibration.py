"""The figures a generated shop is calibrated to, and the parameters fitted to reach them."""

import json
from functools import cache
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@cache
def facts() -> dict[str, Any]:
    """Return the measured figures of ``calibration.json``: shares are fractions of 1, gaps are days."""
    return _read("calibration.json")


@cache
def fitted() -> dict[str, Any]:
    """Return the parameters of ``fitted.json``, found by bench/sample_fit.py so that a shop meets the figures."""
    return _read("fitted.json")


def _read(name: str) -> dict[str, Any]:
    text = (files("nextbasket.grocery.sample") / name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def tilted(weights: Floats, values: Floats, mean: float) -> Floats:
    """Return ``weights`` as probabilities, tilted exponentially so that the mean of ``values`` is ``mean``."""
    low, high = -2.0, 2.0
    centred = values - mean
    for _ in range(80):
        middle = (low + high) / 2
        tried = weights * np.exp(np.clip(middle * centred, -600, 600))
        low, high = (low, middle) if float((tried * centred).sum()) > 0 else (middle, high)
    tried = weights * np.exp(np.clip(low * centred, -600, 600))
    return np.asarray(tried / tried.sum(), dtype=np.float64)


def normal_thresholds(probabilities: Floats) -> Floats:
    """Return the cuts of a standard normal variable that give each class its probability, one fewer than classes."""
    inverse = NormalDist().inv_cdf
    inner = np.clip(np.cumsum(probabilities)[:-1], 1e-12, 1 - 1e-12)
    return np.array([inverse(float(share)) for share in inner])


@cache
def orders_per_shopper() -> Floats:
    """Return the probability of 4, 5, .. 100 orders: the measured histogram with its tail smoothed, mean exact."""
    counts = np.array(facts()["orders_per_shopper_from_4"], dtype=np.float64)
    smooth = counts.copy()
    # The measured tail has few shoppers a bin: a moving average takes the noise out, the spike at the cap stays.
    for index in range(14, 96):
        reach = 2 if index < 40 else 6
        window = counts[max(0, index - reach) : min(96, index + reach + 1)]
        smooth[index] = window.mean()
    mean = float(facts()["totals"]["mean_orders_per_user"])
    return tilted(smooth, np.arange(4, 101, dtype=np.float64), mean)


def basket_sizes(kind: str) -> Floats:
    """Return the probability of 1, 2, .. 75 lines in a basket of ``kind`` (prior or train), mean exact."""
    counts = np.array(facts()[f"basket_size_from_1_{kind}"], dtype=np.float64)
    smooth = counts.copy()
    for index in range(24, 59):
        smooth[index] = counts[max(24, index - 3) : min(59, index + 4)].mean()
    # The last class of the measurement is "60 and more": spread it thinly over the sizes that occur there.
    tail = np.exp(-np.arange(16) / 5.0)
    spread = np.concatenate([smooth[:59], counts[59] * tail / tail.sum()])
    mean = float(facts()["totals"][f"mean_basket_{kind}"])
    return tilted(spread, np.arange(1, 76, dtype=np.float64), mean)
