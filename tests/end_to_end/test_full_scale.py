"""The whole pipeline at full scale: 206,209 shoppers, about 33 million lines, on this machine."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from .command import arguments, environment, nextbasket

SHOPPERS = 206_209
BENCH = Path(__file__).parents[2] / "bench"


def bench_module(name: str) -> ModuleType:
    """Import a module of the bench, which is no package."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_full_scale(tmp_path: Path, proof: Callable[[str], None]) -> None:
    source, home = tmp_path / "source", tmp_path / "home"
    made = json.loads(
        nextbasket(home, "--json", "sample", "--shoppers", str(SHOPPERS), "--to", str(source), timeout=900).stdout
    )
    measured = bench_module("measure").measure(
        arguments(home, "--json", "run", "--source", str(source)),
        limit_seconds=5400,
        limit_gb=20,
        log=tmp_path / "run.log",
        environment=environment(),
    )
    assert measured.done, measured.outcome
    summary = json.loads(measured.output)
    assert summary["tables"]["shop.orders"] == made["orders"]
    assert summary["tables"]["shop.order_products"] == made["lines"]
    assert summary["lines"]["shop.order_products"]["quarantined"] == 0

    proof(
        f"## Full scale\n\n{SHOPPERS:,} generated shoppers, {made['orders']:,} orders, {made['lines']:,} lines, through"
    )
    proof(f"all steps: {measured.seconds:.0f} s, peak {measured.peak_gb:.1f} GB with all its processes.\n")
    proof("| step | seconds |\n|---|---:|")
    for step in summary["steps"]:
        proof(f"| {step['step']} | {step['seconds']:.1f} |")
    proof(f"\n{summary['held_out_shoppers']:,} held-out shoppers:\n")
    proof("| model | AUC | average precision | log loss | Recall@10 | NDCG@10 |\n|---|---:|---:|---:|---:|---:|")
    for model, figures in summary["metrics"].items():
        shown = [figures.get(name) for name in ("auc", "average_precision", "log_loss", "recall_at_10", "ndcg_at_10")]
        proof(f"| {model} | " + " | ".join("-" if one is None else f"{one['value']:.4f}" for one in shown) + " |")
    proof("")
    final = next(figures for name, figures in summary["metrics"].items() if name.startswith("final"))
    ranking = summary["metrics"]["frequency ranking"]
    assert final["auc"]["low"] > ranking["auc"]["high"]
    assert final["ndcg_at_10"]["low"] > ranking["ndcg_at_10"]["high"]
