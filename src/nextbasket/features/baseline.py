"""The baseline's 18 features: their names in the order a features line has them, and what each means.

The names and the order are the published page's: a line without header (text/csv) holds these 18 values.
"""

from collections.abc import Mapping, Sequence

from nextbasket.errors import InputError

KEYS: tuple[str, str] = ("user_id", "product_id")
"""What identifies a candidate."""

FEATURE_MEANINGS: Mapping[str, str] = {
    "up_orders": "orders of the shopper that hold the product",
    "user_mean_days_since_prior": "mean days between the shopper's orders",
    "user_period": "days from the shopper's first to the last order",
    "user_distinct_products": "different products the shopper bought",
    "user_reorder_ratio": "reordered lines / lines of orders after the first",
    "user_total_products": "lines of all the shopper's orders",
    "up_average_cart_position": "mean place of the product in the shopper's cart",
    "up_first_order": "number of the shopper's first order with the product",
    "user_orders": "number of the shopper's last order",
    "up_last_order": "number of the shopper's last order with the product",
    "prod_orders": "lines of the product, all shoppers",
    "prod_reorder_probability": "shoppers with a second purchase / shoppers with a first",
    "prod_reorder_times": "1 + reordered lines of the product / shoppers with a first purchase",
    "prod_reorder_ratio": "reordered lines of the product / lines of the product",
    "user_average_basket": "user_total_products / user_orders",
    "up_order_rate": "up_orders / user_orders",
    "up_orders_since_last_order": "user_orders - up_last_order",
    "up_order_rate_since_first_order": "up_orders / (user_orders - up_first_order + 1)",
}
"""Each feature of the baseline and its meaning, in order."""

BASELINE_FEATURES: tuple[str, ...] = tuple(FEATURE_MEANINGS)
"""The 18 names in order."""


def features_line(values: Mapping[str, float | int | None]) -> str:
    """Return one line of text/csv without header; a missing value is empty, as XGBoost's containers read it."""
    return ",".join("" if values[name] is None else repr(values[name]) for name in BASELINE_FEATURES)


def parse_features_line(line: str) -> Mapping[str, float | None]:
    """Return a features line's values by name; raises InputError for a wrong count or a value that is no number."""
    texts: Sequence[str] = line.strip().split(",")
    if len(texts) != len(BASELINE_FEATURES):
        raise InputError(
            f"a features line has {len(BASELINE_FEATURES)} values and this one has {len(texts)}; "
            f"they are, in order: {', '.join(BASELINE_FEATURES)}."
        )
    values: dict[str, float | None] = {}
    for name, text in zip(BASELINE_FEATURES, texts, strict=True):
        try:
            values[name] = None if text.strip() == "" else float(text)
        except ValueError as error:
            raise InputError(f"the value {text.strip()!r} of {name} in the features line is no number.") from error
    return values
