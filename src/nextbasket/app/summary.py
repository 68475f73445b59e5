"""What a run says at its end: rows, lines by fate, metrics, a sample basket, seconds, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextbasket.app.actions import Actions
from nextbasket.app.shop import Shop
from nextbasket.errors import NotFoundError
from nextbasket.model.lookup import Lookup
from nextbasket.pipeline.run import StepOutcome

FEW_SHOPPERS = 30
"""Below so many held-out shoppers metrics are shown with a warning."""

_SHOWN_DATABASES = ("shop", "features", "features_serving", "results")
_FIRST_SHOPPER = "SELECT min(user_id) AS user_id FROM results.next_baskets"


def summary(shop: Shop, actions: Actions, outcomes: Sequence[StepOutcome]) -> dict[str, Any]:
    """Return the summary as JSON values.

    ``lines`` counts the input lines of each table by fate over all files ever loaded; ``metrics`` holds value, low and
    high of each model's metrics on the held-out shoppers.
    """
    by_step = {outcome.step: outcome for outcome in outcomes}
    evaluated: Mapping[str, Any] = by_step["evaluate"].detail if "evaluate" in by_step else {}
    return {
        "home": str(shop.home),
        "generated": actions.generated,
        "tables": {
            listed["table"]: listed["rows"]
            for listed in shop.list_tables()
            if listed["table"].split(".")[0] in _SHOWN_DATABASES
        },
        "lines": fates(shop),
        "notes": [
            *(by_step["load"].detail.get("notes", ()) if "load" in by_step else ()),
            *evaluation_notes(evaluated),
        ],
        "held_out_shoppers": evaluated.get("held_out_shoppers"),
        "metrics": evaluated.get("metrics", {}),
        "report": evaluated.get("report"),
        "basket": sample_basket(shop),
        "steps": [
            {"step": outcome.step, "seconds": outcome.seconds, "skipped": outcome.skipped} for outcome in outcomes
        ],
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
    }


def evaluation_notes(evaluated: Mapping[str, Any]) -> list[str]:
    """Return what must be said beside metrics that rest on few shoppers."""
    held_out = evaluated.get("held_out_shoppers")
    if held_out is None or held_out >= FEW_SHOPPERS:
        return []
    return [f"only {held_out} held-out shoppers: the models' metrics say little, look at their intervals"]


def fates(shop: Shop) -> dict[str, dict[str, Any]]:
    """Return, for each table, its input lines by fate over all loaded files; reasons are counted for dropped ones."""
    counted: dict[str, dict[str, Any]] = {}
    for file in shop.catalog.ledger():
        table = counted.setdefault(
            file.table, {"files": 0, "accepted": 0, "merged": 0, "dropped": {}, "quarantined": 0}
        )
        # An entry with fewer than none tells of lines that had waited: their file was counted when it was loaded.
        table["files"] += file.quarantined >= 0
        table["accepted"] += file.accepted
        table["merged"] += file.merged
        table["quarantined"] += file.quarantined
        for reason, lines in file.dropped.items():
            table["dropped"][reason] = table["dropped"].get(reason, 0) + lines
    return dict(sorted(counted.items()))


def sample_basket(shop: Shop) -> dict[str, Any] | None:
    """Return the predicted next basket of the first shopper who has one, with product names; None without any."""
    try:
        first = shop.workgroup.table(_FIRST_SHOPPER).to_pylist()[0]["user_id"]
        if first is None:
            return None
        predictions = Lookup(shop.engine, shop.catalog).shopper(str(first))
    except NotFoundError:
        return None
    basket = [prediction for prediction in predictions if prediction.rank is not None]
    return {
        "shopper": first,
        "products": [
            {
                "product_id": prediction.product_id,
                "product_name": prediction.product_name,
                "probability": round(prediction.probability, 4),
            }
            for prediction in sorted(basket, key=lambda prediction: prediction.rank or 0)
        ],
    }
