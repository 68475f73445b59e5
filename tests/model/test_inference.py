"""The script inside model.tar.gz answers SageMaker's requests exactly as the predictor does."""

import importlib.util
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from nextbasket.model.registry import Registry

from .conftest import TrainedShop


@pytest.fixture(scope="module")
def deployed(trained: TrainedShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed")
    with tarfile.open(trained.registry.path("baseline", 1) / "model.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def script(deployed: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("inference", deployed / "code" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(count: int) -> np.ndarray:
    found = np.random.default_rng(1).normal(0, 1, (count, 18)).astype(np.float32)
    found[0, 2] = np.nan
    return found


def answer(script: ModuleType, deployed: Path, body: str, kind: str, accept: str) -> str:
    model = script.model_fn(str(deployed))
    return script.output_fn(script.predict_fn(script.input_fn(body, kind), model), accept)


def test_csv_equals_the_predictor(script: ModuleType, deployed: Path, trained: TrainedShop) -> None:
    values = rows(5)
    body = "\n".join(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in values)
    wanted = trained.registry.load("baseline").predict(values)
    found = answer(script, deployed, body, "text/csv; charset=utf-8", "text/csv").split()
    assert [float(line) for line in found] == [float(value) for value in wanted]


def test_json_in_all_its_forms(script: ModuleType, deployed: Path, trained: TrainedShop) -> None:
    values = rows(1)[0]
    plain = [None if np.isnan(v) else float(v) for v in values]
    named = dict(zip(trained.baseline.features, plain, strict=True))
    body = json.dumps({"instances": [plain, {"features": plain}, named]})
    found = json.loads(answer(script, deployed, body, "application/json", "application/json"))["predictions"]
    wanted = float(trained.registry.load("baseline").predict(values[None, :])[0])
    assert found == [{"probability": wanted, "likely": wanted > 0.21}] * 3


def test_published_line_is_understood(script: ModuleType, deployed: Path) -> None:
    line = (
        "1,6.67578125,3418,209,0.595703125,514,10.0,11,57,11,1599,0.1498791297340854,1.2884770346494763,"
        "0.22388993120700437,9.017543859649123,0.017543859649122806,46,0.02127659574468085"
    )
    assert 0 < float(answer(script, deployed, line, "text/csv", "*/*")) < 1


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("1,2,3", "text/csv", "row 1 must have 18 values, it has 3"),
        (",".join(["x"] * 18), "text/csv", "up_orders is 'x', which is no number"),
        (",".join(["inf"] * 18), "text/csv", "infinite"),
        ("", "text/csv", "no rows"),
        ("{", "application/json", "no JSON"),
        ("[]", "application/json", "instances"),
        ('{"instances": [{"nonsense": 1}]}', "application/json", "unknown features: nonsense"),
        ('{"instances": [5]}', "application/json", "must have 18 values"),
        ("<x/>", "text/xml", "content type text/xml is not known"),
    ],
)
def test_bad_requests_say_what_is_wrong(script: ModuleType, deployed: Path, body: str, kind: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        answer(script, deployed, body, kind, "text/csv")


def test_entry_scripts_need_nothing_of_nextbasket(deployed: Path) -> None:
    # -I and a bare path: the package itself cannot be imported, as in SageMaker's container
    program = (
        "import sys; sys.modules['nextbasket'] = None; sys.path.insert(0, sys.argv[1]); import inference; "
        "print(inference.model_fn(sys.argv[2]).threshold)"
    )
    command = [sys.executable, "-I", "-c", program, str(deployed / "code"), str(deployed)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "0.21"


def test_explanations_sum_to_the_prediction(trained: TrainedShop) -> None:
    predictor = Registry.load(trained.registry, "baseline")
    values = rows(7)
    parts = predictor.explain(values)
    assert parts.shape == (7, 19)
    probability = predictor.predict(values).astype(np.float64)
    np.testing.assert_allclose(parts.sum(axis=1), np.log(probability / (1 - probability)), rtol=1e-3, atol=1e-4)
    assert predictor.predict(np.empty((0, 18), dtype=np.float32)).shape == (0,)
