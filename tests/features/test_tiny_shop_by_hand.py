"""The features of the tiny shop equal the values computed by hand (tests/fixtures/tiny_shop/README.md)."""

import csv
from fractions import Fraction
from pathlib import Path

import pytest

from nextbasket.features import BASELINE_FEATURES, KEYS

from .shop import TINY_SHOP, Shop, open_shop, read_tables


def by_hand(text: str) -> float | None:
    """Return a value written as ``3/5``, ``1+3/2`` or a number; an empty field is NULL."""
    return float(sum(Fraction(part) for part in text.split("+"))) if text else None


def expected(name: str) -> dict[tuple[int, int], dict[str, float | None]]:
    with (TINY_SHOP / name).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [*KEYS, *BASELINE_FEATURES]
    return {
        (int(row["user_id"]), int(row["product_id"])): {name: by_hand(row[name]) for name in BASELINE_FEATURES}
        for row in rows
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = open_shop(tmp_path_factory.mktemp("tiny"), read_tables(TINY_SHOP))
    shop.build("training")
    shop.build("serving")
    return shop


@pytest.mark.parametrize(("database", "file"), [("features", "training"), ("features_serving", "serving")])
def test_all_18_values_of_every_candidate(shop: Shop, database: str, file: str) -> None:
    rows = shop.content(f"{database}.feature_table")
    assert list(rows[0]) == [*KEYS, *BASELINE_FEATURES]
    found = {(row["user_id"], row["product_id"]): {name: row[name] for name in BASELINE_FEATURES} for row in rows}
    assert found == expected(f"expected_{file}.csv")


def final(shop: Shop, database: str, user: int, product: int) -> dict[str, float | None]:
    rows = shop.content(f"{database}.final_features")
    return next(row for row in rows if (row["user_id"], row["product_id"]) == (user, product))


def test_final_features_of_a_habit(shop: Shop) -> None:
    # Shopper 1, product 10: bought on days 0, 8, 14 (orders 1, 2, 3); order 4 comes 7 days later, weekday 0, hour 9.
    row = final(shop, "features", 1, 10)
    assert row["up_orders_since"] == 1
    assert row["up_mean_gap_orders"] == (3 - 1) / 2
    assert row["up_orders_since_over_gap"] == 1.0
    assert row["up_days_since"] == 7.0
    assert row["up_mean_gap_days"] == 14 / 2
    assert row["up_days_since_over_gap"] == 1.0
    assert (row["up_bought_last_1"], row["up_bought_last_3"], row["up_bought_last_5"]) == (1, 3, 3)
    assert row["up_streak"] == 3
    # Weights in units of 2^-20: 1, 0.9 and 0.81 of 1048576, rounded.
    assert row["up_recency"] == (1048576 + 943718 + 849347) / 1048576
    assert row["up_target_dow_share"] == 2 / 3
    assert row["up_target_hour_share"] == 1.0
    assert (row["target_dow"], row["target_hour"], row["target_gap"]) == (0, 9, 7.0)
    assert row["target_gap_over_usual"] == 7.0 / 7.0  # the usual gap is the median of 8 and 6
    assert row["user_basket_last_3"] == 7 / 3
    assert row["user_last_basket"] == 3
    assert row["user_reorder_share_last_5"] == 3 / 7
    # Product 10: shopper 1 from order 1 to 3, shopper 2 from 1 to 2: three orders between three repeats.
    assert row["prod_mean_gap_orders"] == (2 + 1) / (2 + 1)
    assert row["aisle_reorder_ratio"] == 3 / 7  # aisle 1 holds 10 (3 of 5) and 30 (0 of 2)
    assert row["department_reorder_ratio"] == 4 / 8  # department 1 holds 10 (3 of 5) and 20 (1 of 3)


def test_final_features_of_a_product_not_bought_last_time(shop: Shop) -> None:
    row = final(shop, "features", 1, 30)  # bought once, in order 2 on day 8
    assert row["up_orders_since"] == 2
    assert row["up_mean_gap_orders"] is None
    assert row["up_days_since"] == (14 - 8) + 7
    assert row["up_days_since_over_gap"] is None
    assert (row["up_bought_last_1"], row["up_bought_last_3"]) == (0, 1)
    assert row["up_streak"] == 0


def test_streak_ends_at_the_first_order_without_the_product(shop: Shop) -> None:
    assert final(shop, "features", 1, 20)["up_streak"] == 1  # orders 1 and 3, not 2


def test_reorder_hazard(shop: Shop) -> None:
    # One order after a purchase: product 10 was bought again in 3 of 3 cases, 20 in 0 of 1, 30 in 0 of 1, 50 in 0 of 1:
    # 3 of 6 over all. Two orders after: 20 in 1 of 1. The share over all products counts as 20 cases.
    assert final(shop, "features", 1, 10)["prod_reorder_hazard"] == (3 + 20 * 0.5) / (3 + 20)
    assert final(shop, "features", 1, 20)["prod_reorder_hazard"] == (0 + 20 * 0.5) / (1 + 20)
    assert final(shop, "features", 1, 40)["prod_reorder_hazard"] == 20 * 0.5 / 20
    assert final(shop, "features", 1, 30)["prod_reorder_hazard"] == (0 + 20 * 1.0) / (0 + 20)


def test_the_target_is_the_test_header_or_else_the_usual(shop: Shop) -> None:
    rows = shop.content("features_serving.final_targets")
    targets = [tuple(row.values()) for row in rows]
    assert targets == [
        (1, 5, 0, 9, 7.0, 7.0),  # no header: weekday 0 three times of four, hour 9 likewise, median of 8, 6, 7
        (2, 3, 3, 21, 5.0, 10.0),  # the test header
        (3, 3, 0, 8, 30.0, 30.0),  # weekdays 5 and 0, hours 8 and 23 once each: the smaller one
    ]


def test_weekday_lift_of_a_product(shop: Shop) -> None:
    # Weekday 0 has 5 of 12 lines; product 10 has 2 of its 5 on it; the common share counts as 50 lines.
    share = 5 / 12
    assert final(shop, "features", 1, 10)["prod_target_dow_lift"] == pytest.approx(
        ((2 + 50 * share) / (5 + 50)) / share, rel=1e-12
    )


def test_export_is_lines_of_18_values_without_header(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    assert shop.job.export("training", path) == 8
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ("3,7,14,4,0.6,7,1.3333333333333333,1,3,3,5,1,2.5,0.6,2.3333333333333335,1,0,1")
    assert lines[6] == "1,,,2,,2,1,1,1,1,3,0.5,1.5,0.3333333333333333,2,1,0,1"


def test_export_with_header_and_keys(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    shop.job.export("serving", path, header=True, keys=True)
    head, first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert head.split(",") == [*KEYS, *BASELINE_FEATURES]
    assert first.startswith("1,10,4,7,21,")
    assert len(rest) == 8
