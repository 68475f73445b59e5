"""The training set holds the candidates of train orders with what came true, and never a held-out shopper."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nextbasket.errors import InputError, ModelError
from nextbasket.features.baseline import BASELINE_FEATURES
from nextbasket.model.definition import BASELINE, FINAL
from nextbasket.model.inputs import FEATURES, ModelInputs
from nextbasket.model.split import Part, Split
from nextbasket.model.training_set import (
    ChannelCounts,
    FeatureChoice,
    choose_features,
    feature_matrix,
    labelled,
    require_labels,
    shopper_starts,
    write_channel,
)

from .conftest import TrainedShop, training_inputs
from .shop import Shop, fill, open_shop


def tiny(shop: Shop) -> ModelInputs:
    """Shopper 1: history a, b; train order holds b and c. Shopper 2: only a test order. Shopper 3: two train orders."""
    rows = [("u1", "a"), ("u1", "b"), ("u2", "a"), ("u3", "a"), ("u3", "b")]
    columns = {
        "user_id": [user for user, _ in rows],
        "product_id": [product for _, product in rows],
        **{name: [float(i) for i in range(5)] for name in BASELINE_FEATURES},
    }
    shop.put("features.feature_table", pa.table(columns))
    extra = {"user_id": columns["user_id"][:4], "product_id": columns["product_id"][:4], "late": [1.5, None, 3.5, 4.5]}
    shop.put("features.final_features", pa.table(extra))
    shop.put(
        "shop.orders",
        pa.table(
            {
                "order_id": ["o1", "o2", "o3", "o4"],
                "user_id": ["u1", "u2", "u3", "u3"],
                "eval_set": ["train", "test", "train", "train"],
                "order_number": [5, 5, 6, 7],
            }
        ),
    )
    shop.put(
        "shop.order_products",
        pa.table({"order_id": ["o1", "o1", "o3", "o4"], "product_id": ["b", "c", "a", "b"]}),
    )
    return training_inputs(shop)


def test_labels_by_hand(tmp_path) -> None:
    inputs = tiny(open_shop(tmp_path))
    features = FeatureChoice.of(["up_orders", "late"])
    everyone = {Part.TRAINING, Part.VALIDATION, Part.HELD_OUT}
    table = inputs.table(labelled(inputs, features, Split(), everyone))
    assert table.to_pylist() == [
        {"user_id": "u1", "product_id": "a", "label": 0, "up_orders": 0.0, "late": 1.5},
        {"user_id": "u1", "product_id": "b", "label": 1, "up_orders": 1.0, "late": None},
        # of two train orders the later one counts: b, not a; a pair without final features keeps its row
        {"user_id": "u3", "product_id": "a", "label": 0, "up_orders": 3.0, "late": 4.5},
        {"user_id": "u3", "product_id": "b", "label": 1, "up_orders": 4.0, "late": None},
    ]


def test_parts_share_the_rows_and_no_shopper(trained: TrainedShop) -> None:
    found = {}
    for part in Part:
        query = labelled(trained.inputs, FeatureChoice(("up_orders",)), Split(), {part})
        found[part] = trained.inputs.table(query)
        users = set(found[part].column("user_id").to_pylist())
        assert users == {user for user in users if Split().part(user) is part}
    orders = trained.shop.catalog.scan("shop.orders")
    shoppers = sum(len(set(table.column("user_id").to_pylist())) for table in found.values())
    assert orders.snapshot_id is not None
    assert shoppers == 900 - 90  # every tenth shopper has a test order


def test_fraction_takes_whole_shoppers(trained: TrainedShop) -> None:
    features = FeatureChoice(("up_orders",))
    every = trained.inputs.table(labelled(trained.inputs, features, Split(), {Part.TRAINING}))
    some = trained.inputs.table(labelled(trained.inputs, features, Split(), {Part.TRAINING}, 0.3))
    users = set(some.column("user_id").to_pylist())
    assert users
    assert some.num_rows == pc.sum(pc.is_in(every.column("user_id"), pa.array(users))).as_py()


def test_channel_file_holds_label_then_features(tmp_path, trained: TrainedShop) -> None:
    features = choose_features(FINAL, trained.inputs)
    counts = write_channel(trained.inputs, features, Split(), Part.TRAINING, tmp_path / "train")
    table = pq.read_table(tmp_path / "train")
    assert table.column_names == ["label", *features.names]
    assert counts.rows == table.num_rows
    assert counts.positives == pc.sum(table.column("label")).as_py()
    query = labelled(trained.inputs, features, Split(), {Part.TRAINING})
    assert counts.shoppers == len(set(trained.inputs.table(query).column("user_id").to_pylist()))


def test_columns_without_a_value_leave_the_final_model_only(trained: TrainedShop) -> None:
    final, baseline = choose_features(FINAL, trained.inputs), choose_features(BASELINE, trained.inputs)
    assert final.left_out == ("user_period", "target_weekday")
    assert final.extra == ("overdue", "is_new")
    assert baseline.names == BASELINE_FEATURES
    assert baseline.left_out == ()


def test_missing_baseline_column_is_named(tmp_path) -> None:
    shop = open_shop(tmp_path)
    tiny(shop)
    table = pa.table({"user_id": ["u1"], "product_id": ["a"], "up_orders": [1.0]})
    shop.catalog.drop(FEATURES)
    shop.put(FEATURES, table)
    with pytest.raises(InputError, match="lacks the columns user_mean_days_since_prior"):
        choose_features(BASELINE, training_inputs(shop))


def test_text_feature_is_named(tmp_path) -> None:
    shop = open_shop(tmp_path)
    tiny(shop)
    shop.catalog.drop("features.final_features")
    shop.put("features.final_features", pa.table({"user_id": ["u1"], "product_id": ["a"], "mood": ["good"]}))
    with pytest.raises(InputError, match="no numbers: mood"):
        choose_features(FINAL, training_inputs(shop))


@pytest.mark.parametrize(
    ("rows", "positives", "words"), [(0, 0, "no shopper"), (9, 0, "no cand"), (9, 9, "every cand")]
)
def test_channels_that_teach_nothing_are_refused(rows: int, positives: int, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        require_labels(ChannelCounts(rows, positives, 3), "the model 'x'")


def test_shopper_starts_across_chunks() -> None:
    ids = pa.chunked_array([["a", "a"], ["a", "b"], ["c"]])
    assert shopper_starts(ids).tolist() == [0, 3, 4]
    assert shopper_starts(pa.chunked_array([[7]])).tolist() == [0]
    assert shopper_starts(pa.chunked_array([], type=pa.int64())).tolist() == []


def test_matrix_turns_null_into_nan() -> None:
    table = pa.table({"a": pa.array([1.0, None], pa.float32()), "b": pa.array([2.0, 3.0], pa.float32())})
    matrix = feature_matrix(table, ("b", "a"))
    assert matrix.dtype == np.float32
    assert np.array_equal(matrix, np.array([[2, 1], [3, np.nan]], dtype=np.float32), equal_nan=True)


def test_text_ids_give_the_same_rows_as_integers(tmp_path) -> None:
    found = {}
    for text in (False, True):
        shop = open_shop(tmp_path / str(text))
        fill(shop, shoppers=60, text_ids=text)
        inputs = training_inputs(shop)
        everyone = set(Part)
        table = inputs.table(labelled(inputs, FeatureChoice(("up_orders",)), Split(), everyone))
        keys = [int(str(user).removeprefix("u")) for user in table.column("user_id").to_pylist()]
        products = [int(str(product).removeprefix("p")) for product in table.column("product_id").to_pylist()]
        found[text] = sorted(zip(keys, products, table.column("label").to_pylist(), strict=True))
    assert found[False] == found[True]
