"""Keep the trained models: ``models/<name>/<version>/``, each written whole or not at all, never changed after.

A version holds ``model.ubj``, ``signature.json``, ``model.tar.gz`` (what SageMaker deploys) and ``card.json``; its
evaluation later adds ``report.html`` and the card's metrics, each by an atomic replace.
"""

import contextlib
import gzip
import io
import json
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nextbasket.errors import HomeError, ModelError, NotFoundError
from nextbasket.model.predictor import XGBoostPredictor

_BUILDING = ".building-"
_INFERENCE = Path(__file__).parent / "entry" / "inference.py"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and where it comes from.

    ``counts`` holds rows, positives and shoppers of each channel; ``metrics`` is empty until the model is evaluated,
    then maps a metric's name to value, low and high. ``generated`` says whether the shop's data was made up.
    ``trained_at`` is ISO 8601 in UTC.
    """

    name: str
    version: int
    title: str
    features: tuple[str, ...]
    left_out: tuple[str, ...]
    parameters: Mapping[str, float | int | str]
    rounds: int
    fraction: float
    split: Mapping[str, float]
    counts: Mapping[str, Mapping[str, int]]
    threshold: float
    snapshots: Mapping[str, int | None]
    fingerprint: str
    code: Mapping[str, str]
    generated: bool | None
    trained_at: str
    seconds: float
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """``name/version``: what predictions carry as model_version."""
        return f"{self.name}/{self.version}"


class Registry:
    """The models of one home, kept in ``folder``; it need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the names of all models that have a version, in order."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and self._versions(path.name))

    def cards(self) -> list[ModelCard]:
        """Return the cards of all versions, by name and version."""
        return [self.card(name, version) for name in self.names() for version in self._versions(name)]

    def latest(self, name: str) -> ModelCard:
        """Return the card of a model's newest version; raises NotFoundError that says how to get one."""
        versions = self._versions(name)
        if not versions:
            known = ", ".join(self.names()) or "none yet"
            raise NotFoundError(f"there is no trained model '{name}' (trained: {known}); run 'nextbasket train'.")
        return self.card(name, versions[-1])

    def card(self, name: str, version: int) -> ModelCard:
        """Return one version's card; raises NotFoundError."""
        path = self.path(name, version) / "card.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as missing:
            known = ", ".join(map(str, self._versions(name))) or "none"
            raise NotFoundError(f"the model '{name}' has no version {version} (versions: {known}).") from missing
        except ValueError as fault:
            raise ModelError(f"the card {path} cannot be read: {fault}; train the model again.") from fault
        document["features"] = tuple(document["features"])
        document["left_out"] = tuple(document["left_out"])
        return ModelCard(**document)

    def with_fingerprint(self, name: str, fingerprint: str) -> ModelCard | None:
        """Return the newest version trained from exactly these inputs and parameters, or None."""
        for version in reversed(self._versions(name)):
            card = self.card(name, version)
            if card.fingerprint == fingerprint:
                return card
        return None

    def path(self, name: str, version: int) -> Path:
        """Return the folder of a version; it exists only for versions that were added."""
        return self._folder / name / str(version)

    def load(self, name: str, version: int | None = None, *, threads: int = 1) -> XGBoostPredictor:
        """Load a model's predictor, the newest version by default; raises NotFoundError or ModelError."""
        card = self.latest(name) if version is None else self.card(name, version)
        return XGBoostPredictor(self.path(name, card.version), version=card.full_name, threads=threads)

    @contextlib.contextmanager
    def building(self, name: str) -> Iterator[Path]:
        """Give a fresh folder that no reader sees; it is gone afterwards unless ``add`` took it."""
        home = self._folder / name
        folder = home / f"{_BUILDING}{os.getpid()}-{uuid.uuid4().hex}"
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._sweep(home)
            folder.mkdir()
        except OSError as fault:
            raise HomeError(f"the models folder {home} cannot be written: {fault}") from fault
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, folder: Path, card: ModelCard) -> ModelCard:
        """Make a built folder the model's next version, in one rename; returns the card with its version.

        The folder must hold ``model.ubj`` and ``signature.json``; the archive and the card are added here.
        """
        _write_threshold(folder / "signature.json", card.threshold)
        _pack(folder, folder / "model.tar.gz")
        version = max(self._versions(card.name), default=0)
        while True:
            version += 1
            numbered = replace(card, version=version)
            _replace_text(folder / "card.json", _as_json(numbered))
            target = self.path(card.name, version)
            if target.exists():
                continue  # another process took the number; take the next
            try:
                folder.rename(target)
            except FileExistsError:
                continue
            except OSError as fault:
                if target.exists():
                    continue
                raise HomeError(f"the model cannot be stored as {target}: {fault}") from fault
            return numbered

    def record_evaluation(
        self, card: ModelCard, metrics: Mapping[str, Mapping[str, float]], evaluation: Mapping[str, Any], report: str
    ) -> ModelCard:
        """Add a model's metrics and its HTML report to its version; returns the card that holds them."""
        folder = self.path(card.name, card.version)
        evaluated = replace(card, metrics=metrics, evaluation=evaluation)
        _replace_text(folder / "report.html", report)
        _replace_text(folder / "card.json", _as_json(evaluated))
        return evaluated

    def _versions(self, name: str) -> list[int]:
        folder = self._folder / name
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())

    def _sweep(self, home: Path) -> None:
        """Remove what a killed training left; a folder whose process still runs is kept."""
        for left in home.glob(f"{_BUILDING}*"):
            process = left.name.removeprefix(_BUILDING).split("-")[0]
            if process.isdecimal() and not _runs(int(process)):
                shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_threshold(signature: Path, threshold: float) -> None:
    document = json.loads(signature.read_text(encoding="utf-8"))
    document["threshold"] = threshold
    _replace_text(signature, json.dumps(document, indent=2) + "\n")


def _pack(folder: Path, archive: Path) -> None:
    """Write what SageMaker deploys; times and owners are fixed, so that the same model gives the same bytes."""
    members = {
        "code/inference.py": _INFERENCE.read_bytes(),
        "model.ubj": (folder / "model.ubj").read_bytes(),
        "signature.json": (folder / "signature.json").read_bytes(),
    }
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(members.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o644, 0
            tar.addfile(member, io.BytesIO(content))
    archive.write_bytes(gzip.compress(plain.getvalue(), compresslevel=6, mtime=0))


def _as_json(card: ModelCard) -> str:
    return json.dumps(asdict(card), indent=2, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a card holds no {type(value).__name__}")


def _replace_text(path: Path, text: str) -> None:
    waiting = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        waiting.write_text(text, encoding="utf-8")
        waiting.replace(path)
    except OSError as fault:
        waiting.unlink(missing_ok=True)
        raise HomeError(f"{path} cannot be written: {fault}") from fault
