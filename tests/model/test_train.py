"""Training runs the SageMaker script in a process of its own, gives the same bytes again, and leaves nothing half."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nextbasket.errors import ModelError
from nextbasket.features.baseline import BASELINE_FEATURES
from nextbasket.model.definition import BASELINE, FINAL
from nextbasket.model.registry import Registry
from nextbasket.model.train import train

from .conftest import TrainedShop, training_inputs, training_settings
from .shop import fill, open_shop

QUICK = replace(BASELINE, rounds=12)


def test_card_says_where_the_model_comes_from(trained: TrainedShop) -> None:
    card = trained.baseline
    assert card.full_name == "baseline/1"
    assert card.features == BASELINE_FEATURES
    assert card.rounds == 300
    assert card.threshold == 0.21
    assert card.parameters["gamma"] == 0.7
    assert card.trained_at == "2026-01-02T03:04:05+00:00"
    assert card.snapshots == trained.inputs.snapshots
    assert set(card.snapshots) >= {"features.feature_table", "shop.orders"}
    assert card.generated is True
    assert trained.registry.card("baseline", 1) == replace(
        card, metrics=trained.evaluated.cards[1].metrics, evaluation=trained.evaluated.cards[1].evaluation
    )


def test_final_stops_early_and_chooses_its_threshold(trained: TrainedShop) -> None:
    assert trained.final.rounds < FINAL.rounds
    assert 0 < trained.final.threshold < 1
    assert set(trained.final.counts) == {"train", "validation"}
    assert trained.final.left_out == ("user_period", "target_weekday")


def test_same_input_gives_the_same_bytes_and_rounds_are_told(trained: TrainedShop, tmp_path: Path) -> None:
    registries = [Registry(tmp_path / name) for name in ("a", "b")]
    told: list[tuple[str, float | None]] = []
    for registry in registries:
        train(
            replace(FINAL, rounds=16, early_stopping=16),
            trained.inputs,
            registry,
            trained.settings,
            progress=lambda message, fraction: told.append((message, fraction)),
        )
    first, second = (registry.path("final", 1) for registry in registries)
    assert told[-1][1] == 1.0
    assert [fraction for message, fraction in told if message.startswith("final round 8 of 16")] == [0.5, 0.5]
    for name in ("model.ubj", "model.tar.gz", "signature.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.slow
def test_same_fingerprint_trains_once(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    first = train(QUICK, trained.inputs, registry, trained.settings, fingerprint="x")
    again = train(QUICK, trained.inputs, registry, trained.settings, fingerprint="x")
    other = train(QUICK, trained.inputs, registry, trained.settings, fingerprint="y")
    seeded = train(QUICK, trained.inputs, registry, replace(trained.settings, seed=2), fingerprint="x")
    assert [one.new for one in (first, again, other, seeded)] == [True, False, True, True]
    assert again.card == first.card
    assert [card.version for card in registry.cards()] == [1, 2, 3]


@pytest.mark.slow
def test_sample_model_has_a_name_of_its_own(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    card = train(QUICK, trained.inputs, registry, trained.settings, fraction=0.3).card
    assert card.full_name == "baseline-30pct/1"
    assert card.counts["train"]["shoppers"] < trained.baseline.counts["train"]["shoppers"] / 2


def test_script_failure_is_one_error_with_its_reason(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    broken = replace(QUICK, parameters={**QUICK.parameters, "objective": "no:such"})
    with pytest.raises(ModelError, match="no:such"):
        train(broken, trained.inputs, registry, trained.settings)
    assert registry.names() == []
    assert list((tmp_path / "models" / "baseline").iterdir()) == []
    assert list(trained.settings.scratch.glob("tmp*")) == []


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_impossible_fraction_is_refused(trained: TrainedShop, tmp_path: Path, fraction: float) -> None:
    with pytest.raises(ModelError, match="fraction"):
        train(QUICK, trained.inputs, Registry(tmp_path), trained.settings, fraction=fraction)


def test_shop_without_train_orders_is_refused_in_words(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=20)
    orders = pa.table({"order_id": [1], "user_id": [1], "eval_set": ["prior"], "order_number": [1]})
    shop.put("shop.orders", orders)
    with pytest.raises(ModelError, match="no shopper has both a history and a 'train' order"):
        train(QUICK, training_inputs(shop), Registry(tmp_path / "models"), training_settings(tmp_path))


@pytest.mark.slow
def test_few_shoppers_train_without_early_stopping(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=60)
    card = train(FINAL, training_inputs(shop), Registry(tmp_path / "models"), training_settings(tmp_path)).card
    assert card.rounds == 60
    assert card.threshold == 0.21


@pytest.mark.slow
def test_sample_that_teaches_nothing_becomes_all_shoppers(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=60)
    registry = Registry(tmp_path / "models")
    card = train(QUICK, training_inputs(shop), registry, training_settings(tmp_path), fraction=0.001).card
    assert card.full_name == "baseline-0.1pct/1"
    assert card.fraction == 1.0
    assert card.counts["train"]["shoppers"] > 30


def test_script_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    folder = tmp_path / "train"
    folder.mkdir()
    table = pa.table({"label": pa.array(generator.integers(0, 2, 20_000), pa.int8()), "x": generator.random(20_000)})
    pa.parquet.write_table(table, folder / "part-0.parquet")
    script = Path(train.__code__.co_filename).parent / "entry" / "train.py"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            import subprocess, sys, time
            child = subprocess.Popen(
                [sys.executable, {str(script)!r}, "--num_round", "1000000", "--nthread", "1"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            child.stdout.readline()
            print(child.pid, flush=True)
            time.sleep(600)
            """),
        ],
        env={
            **os.environ,
            "SM_CHANNEL_TRAIN": str(folder),
            "SM_MODEL_DIR": str(tmp_path / "model"),
            "NEXTBASKET_STOP_WITH_STDIN": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 20
        while is_running(child) and time.monotonic() < deadline:
            pass
        assert not is_running(child)
    assert not (tmp_path / "model").exists()


def is_running(process: int) -> bool:
    """Say whether a process runs; one that ended and waits for its new parent does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_killed_training_leaves_no_version_and_the_next_one_sweeps(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / "models" / "baseline" / f".building-{int(gone.stdout)}-abc"
    left.mkdir(parents=True)
    (left / "card.json").write_text(json.dumps({}))
    assert registry.names() == []
    assert train(QUICK, trained.inputs, registry, trained.settings).card.version == 1
    assert sorted(path.name for path in left.parent.iterdir()) == ["1"]
