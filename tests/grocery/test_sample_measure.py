"""Measuring a shop: a tiny one whose figures are worked out by hand."""

from pathlib import Path

import pytest

from nextbasket.grocery.sample.measure import Measured


@pytest.fixture
def measured(tmp_path: Path) -> dict[str, float]:
    """Write two shoppers with two orders each: four baskets, nine lines, three of them reordered."""
    files = {
        "products.csv": "product_id,product_name,aisle_id,department_id\n"
        "1,Organic Pear,24,4\n2,Cola,77,7\n3,Plum,24,4\n",
        "orders.csv": "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
        "11,1,prior,1,0,9,\n12,1,train,2,1,9,8.0\n21,2,prior,1,5,20,\n22,2,prior,2,6,21,30.0\n23,2,test,3,0,20,2.0\n",
        "order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered\n"
        "11,1,1,0\n11,2,2,0\n21,1,1,0\n22,1,1,1\n22,2,2,0\n22,3,3,0\n",
        "order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered\n12,1,1,1\n12,3,2,0\n12,2,3,1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return {figure.name: figure.reached for figure in Measured(tmp_path).figures()}


def test_figures_of_visits(measured: dict[str, float]) -> None:
    assert measured["orders per shopper"] == 2.5
    assert measured["shoppers whose last order is train"] == 0.5
    assert measured["orders without a gap"] == 0.4
    assert measured["gap in days"] == pytest.approx(40 / 3)
    assert measured["gap in days before the last order"] == 5.0
    assert measured["gaps of 30 days"] == pytest.approx(1 / 3)
    assert measured["orders on weekday 0"] == 0.4
    assert measured["orders at 9 h"] == 0.4
    # 0 + 8 is weekday 1; a gap of 30 says nothing; 6 + 2 would be weekday 1, not 0.
    assert measured["weekdays that contradict their gap"] == 1.0
    # Nobody here has four orders, the fewest the target knows.
    assert measured["orders per shopper, Kolmogorov-Smirnov distance"] == 1.0


def test_figures_of_baskets(measured: dict[str, float]) -> None:
    assert measured["lines per prior basket"] == 2.0
    assert measured["lines per train basket"] == 3.0
    assert measured["reordered share of prior lines"] == pytest.approx(1 / 6)
    assert measured["reordered share of train lines"] == pytest.approx(2 / 3)
    assert measured["prior orders without a reordered line"] == pytest.approx(2 / 3)
    assert measured["train orders of reordered lines only"] == 0.0
    # Shopper 1 knew products 1 and 2, shopper 2 all three; the train order held both of shopper 1's.
    assert measured["known products per shopper (candidates)"] == 2.5
    assert measured["positive share of train candidates"] == 1.0
    assert measured["reordered share at position 1 of prior baskets"] == pytest.approx(1 / 3)


def test_figures_of_goods(measured: dict[str, float]) -> None:
    assert measured["product names with Organic"] == pytest.approx(1 / 3)
    assert measured["lines of organic products"] == pytest.approx(4 / 9)
    assert measured["line share of produce"] == pytest.approx(6 / 9)
    assert measured["reordered share of beverages"] == pytest.approx(1 / 3)
    assert measured["line share of the top 10 products"] == 1.0
