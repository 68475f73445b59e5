"""Versions appear whole, count upwards, and say clearly what is missing."""

import io
import json
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from nextbasket.errors import HomeError, ModelError, NotFoundError
from nextbasket.model.registry import ModelCard, Registry

from .conftest import TrainedShop


def build(registry: Registry, trained: TrainedShop, name: str = "copy", fingerprint: str = "f") -> ModelCard:
    source = trained.registry.path("baseline", 1)
    with registry.building(name) as folder:
        for file in ("model.ubj", "signature.json"):
            (folder / file).write_bytes((source / file).read_bytes())
        return registry.add(folder, replace(trained.baseline, name=name, fingerprint=fingerprint))


def test_versions_count_upwards(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    for version in (1, 2, 3):
        assert build(registry, trained, fingerprint=str(version)).version == version
    assert registry.latest("copy").version == 3
    assert registry.names() == ["copy"]
    found = registry.with_fingerprint("copy", "2")
    assert found is not None
    assert found.version == 2
    assert registry.with_fingerprint("copy", "9") is None


def test_ten_is_newer_than_nine(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    for _ in range(10):
        build(registry, trained)
    assert registry.latest("copy").version == 10


def test_concurrent_trainings_get_different_versions(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    threads = [threading.Thread(target=build, args=(registry, trained)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [card.version for card in registry.cards()] == list(range(1, 9))


def test_failed_building_leaves_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")

    def fail_half_way() -> None:
        with registry.building("copy") as folder:
            (folder / "model.ubj").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list((tmp_path / "models" / "copy").iterdir()) == []


def test_archive_is_what_sagemaker_deploys(trained: TrainedShop) -> None:
    folder = trained.registry.path("final", 1)
    with tarfile.open(folder / "model.tar.gz") as archive:
        members = {member.name: member for member in archive.getmembers()}
        signature = archive.extractfile("signature.json")
        model = archive.extractfile("model.ubj")
        assert signature is not None
        assert model is not None
        assert json.load(io.BytesIO(signature.read()))["threshold"] == trained.final.threshold
        assert model.read() == (folder / "model.ubj").read_bytes()
    assert sorted(members) == ["code/inference.py", "model.ubj", "signature.json"]
    assert {(one.mtime, one.uid, one.gid, one.uname) for one in members.values()} == {(0, 0, 0, "")}


def test_missing_things_are_named(trained: TrainedShop, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no trained model 'other' \(trained: baseline, final\)"):
        trained.registry.latest("other")
    with pytest.raises(NotFoundError, match=r"'final' has no version 7 \(versions: 1\)"):
        trained.registry.card("final", 7)
    with pytest.raises(NotFoundError, match="run 'nextbasket train'"):
        Registry(tmp_path / "nothing").load("final")


def test_damaged_model_is_named(trained: TrainedShop, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    card = build(registry, trained)
    (registry.path("copy", card.version) / "model.ubj").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be read"):
        registry.load("copy")
    (registry.path("copy", card.version) / "card.json").write_text("{")
    with pytest.raises(ModelError, match="train the model again"):
        registry.latest("copy")


def test_read_only_home_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(HomeError, match="cannot be written"), Registry(tmp_path / "models").building("x"):
        pytest.fail("a folder was given")
