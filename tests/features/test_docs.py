"""docs/features.md names every feature: the baseline's in their order, and the final model's own."""

import re
from pathlib import Path

from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.features import BASELINE_FEATURES, KEYS
from nextbasket.features.baseline import FEATURE_MEANINGS
from nextbasket.query.dialect import parse

TEXT = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")


def test_the_baseline_stands_there_in_order_with_its_meanings() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*?) \| ", TEXT, re.MULTILINE)
    assert [(int(number), name) for number, name, _ in rows] == list(enumerate(BASELINE_FEATURES, start=1))
    assert {name: meaning for _, name, meaning in rows} == FEATURE_MEANINGS


def test_the_final_models_own_stand_there() -> None:
    tree = parse(Definitions().text(DefinitionKind.QUERIES, "final_features"))
    names = [item.alias_or_name for item in tree.selects]
    assert names[:2] == list(KEYS)
    table = TEXT.split("## The final model's own")[1].split("## What a shop does not have")[0]
    documented = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(documented) == sorted(names[2:])
