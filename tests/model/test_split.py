"""The held-out tenth is the same in SQL and in Python, for integer and text ids, and never moves."""

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbasket.errors import ModelError
from nextbasket.model.inputs import ModelInputs
from nextbasket.model.split import Part, Split

from .shop import open_shop


def test_parts_never_move() -> None:
    # From sha256sum of "2017:part:4" and so on. A changed hash would let shoppers that older models were held against
    # into new trainings.
    split = Split(seed=2017)
    assert [split.part(shopper).value for shopper in (4, 15, 11, 1, 2)] == [
        "held_out",
        "held_out",
        "validation",
        "training",
        "training",
    ]


def test_shares_are_kept() -> None:
    split = Split()
    parts = [split.part(shopper) for shopper in range(20_000)]
    assert parts.count(Part.HELD_OUT) / 20_000 == pytest.approx(0.1, abs=0.006)
    assert parts.count(Part.VALIDATION) / 20_000 == pytest.approx(0.05, abs=0.005)
    assert sum(split.sampled(shopper, 0.1) for shopper in range(20_000)) / 20_000 == pytest.approx(0.1, abs=0.006)


def test_sample_is_independent_of_the_parts() -> None:
    split = Split()
    held_out = [shopper for shopper in range(50_000) if split.part(shopper) is Part.HELD_OUT]
    share = sum(split.sampled(shopper, 0.1) for shopper in held_out) / len(held_out)
    assert share == pytest.approx(0.1, abs=0.015)


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_text_and_integer_ids_agree(shopper: int) -> None:
    assert Split().part(shopper) is Split().part(str(shopper))


@pytest.mark.parametrize("kind", ["int64", "string"])
@pytest.mark.parametrize("fraction", [1.0, 0.3])
def test_sql_agrees_with_python(tmp_path, kind: str, fraction: float) -> None:
    shop = open_shop(tmp_path)
    ids = ["ä 1", "2", "x'y", "", *map(str, range(400))] if kind == "string" else list(range(-50, 400))
    shop.put("shop.orders", pa.table({"user_id": pa.array(ids, pa.type_for_alias(kind))}))
    inputs = ModelInputs(shop.engine, shop.catalog, ["shop.orders"])
    relation = inputs.relation("shop.orders")
    split = Split(seed=9)
    for parts in ({Part.HELD_OUT}, {Part.VALIDATION, Part.TRAINING}):
        chosen = relation.filter(split.condition(relation.user_id, parts, fraction))
        found = inputs.table(chosen).column("user_id").to_pylist()
        wanted = [one for one in ids if split.part(one) in parts and split.sampled(one, fraction)]
        assert sorted(found) == sorted(wanted)
        assert wanted


def test_no_training_left_is_refused() -> None:
    with pytest.raises(ModelError, match="leave no training"):
        Split(held_out=0.6, validation=0.4)


def test_condition_is_an_expression_of_the_id_alone() -> None:
    orders = ibis.table({"user_id": "int64"}, name="orders", database="shop")
    sql = ibis.to_sql(orders.filter(Split(seed=9).condition(orders.user_id, {Part.HELD_OUT})), dialect="duckdb")
    assert "SHA256" in sql.upper()
    assert "9:part:" in sql
