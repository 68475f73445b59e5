"""Invented product names: plausible, unique, and with the measured shares of organic goods and of commas."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbasket.grocery.sample.calibration import facts
from nextbasket.grocery.sample.catalogue import CATALOGUE_SEED, Catalogue

_NEVER_ORGANIC = {"household", "pets", "alcohol", "other", "missing"}


@cache
def _words() -> dict[str, Any]:
    text = (files("nextbasket.grocery.sample") / "words.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def product_names(catalogue: Catalogue) -> list[str]:
    """Return a name for every product of the catalogue, in its order; no two are the same."""
    words = _words()
    rng = np.random.default_rng([CATALOGUE_SEED, 1])
    organic = _organic(catalogue, rng)
    comma = float(facts()["names_with_comma"])
    departments, aisles = facts()["departments"], facts()["aisles"]
    styles = words["styles"]
    taken: set[str] = set()
    names = []
    # Names are made one by one on purpose: there are 50,000 of them, once, and each must differ from all before.
    draws = rng.random((len(organic), 6))
    for index, (aisle, department, staple) in enumerate(
        zip(catalogue.aisle.tolist(), catalogue.department.tolist(), catalogue.staple.tolist(), strict=True)
    ):
        if staple >= 0:
            name = words["staples"][staple]
        else:
            goods = words["goods"][str(aisles[aisle][0])]
            style = styles.get(str(departments[department][0]), styles["default"])
            name = _compose(draws[index].tolist(), goods, style, words, organic=bool(organic[index]), comma=comma)
            while name in taken:
                name = _compose(rng.random(6).tolist(), goods, style, words, organic=bool(organic[index]), comma=comma)
        taken.add(name)
        names.append(name)
    return names


def _compose(
    draw: list[float], goods: list[str], styles: list[str], words: dict[str, Any], *, organic: bool, comma: float
) -> str:
    def one(options: list[str], place: float) -> str:
        return options[int(place * len(options))]

    parts = [one(words["brand_first"], draw[0]), one(words["brand_second"], draw[1])]
    parts += ["Organic"] if organic else []
    parts += [one(styles, draw[2]), one(goods, draw[3])]
    size = one(words["sizes"], draw[5])
    return " ".join(parts) + (f", {size}" if draw[4] < comma else "")


def _organic(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose which goods are organic: the measured share of names, and of lines because they are bought more."""
    staple_names = _words()["staples"]
    pinned = np.array([rank >= 0 and "Organic" in staple_names[rank] for rank in catalogue.staple.tolist()])
    edible = np.array([row[1] not in _NEVER_ORGANIC for row in facts()["departments"]])[catalogue.department]
    free = (catalogue.staple < 0) & edible
    names, lines = facts()["organic"]["names"], facts()["organic"]["lines"]
    wanted = round(names * len(free)) - int(pinned.sum())
    noise = rng.gumbel(size=len(free))
    low, high = -2.0, 2.0
    chosen = pinned
    # The more the choice leans on popularity, the larger the organic share of all lines: find the lean that fits.
    for _ in range(30):
        lean = (low + high) / 2
        score = np.where(free, lean * np.log(catalogue.line_share) + noise, -np.inf)
        chosen = pinned.copy()
        chosen[np.argpartition(-score, wanted)[:wanted]] = True
        low, high = (low, lean) if catalogue.line_share[chosen].sum() > lines else (lean, high)
    return np.asarray(chosen, dtype=np.bool_)
