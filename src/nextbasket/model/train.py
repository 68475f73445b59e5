"""Train a model: channels from the tables, the SageMaker script in a subprocess, the result into the registry."""

import hashlib
import json
import re
import shutil
import subprocess  # the training script runs as SageMaker runs it: a process of its own
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nextbasket.errors import ModelError
from nextbasket.model.definition import ModelDefinition
from nextbasket.model.inputs import ModelInputs
from nextbasket.model.metrics import best_threshold
from nextbasket.model.predictor import XGBoostPredictor
from nextbasket.model.registry import ModelCard, Registry
from nextbasket.model.scored_rows import scored_rows
from nextbasket.model.split import DEFAULT_SPLIT, Part, Split
from nextbasket.model.training_set import (
    ChannelCounts,
    FeatureChoice,
    choose_features,
    require_labels,
    write_channel,
)
from nextbasket.progress import Progress, silent
from nextbasket.version import __version__

_ENTRY = Path(__file__).parent / "entry"
_ROUND = re.compile(r"^round (\d+)/(\d+)(.*)$")
_FEW_SHOPPERS = 30
_ROUNDS_FOR_FEW = 60
_UNTUNED_THRESHOLD = 0.21


@dataclass(frozen=True, slots=True)
class Trained:
    """A training's outcome: the model's card, and whether it was trained now or already there."""

    card: ModelCard
    new: bool


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What a training takes from its surroundings.

    ``threads`` is XGBoost's nthread; ``environment`` is given to the subprocess; ``scratch`` is a folder for channel
    files, which are removed afterwards; ``generated`` says whether the shop's data was made up; ``now`` gives an
    aware UTC time.
    """

    threads: int
    environment: Mapping[str, str]
    scratch: Path
    now: Callable[[], datetime]
    split: Split = DEFAULT_SPLIT
    seed: int = 1
    generated: bool | None = None


def train(
    definition: ModelDefinition,
    inputs: ModelInputs,
    registry: Registry,
    settings: TrainingSettings,
    *,
    fraction: float = 1.0,
    fingerprint: str | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train one model and register it as its next version; the same fingerprint returns the version that is there.

    ``fingerprint`` names the inputs' content; without it the tables' snapshots stand for them. Parameters, features,
    split, seed, threads and code always count. A sample too small to teach anything becomes all shoppers, as the
    card's fraction then says. Raises ModelError when there is nothing to learn from or the script fails.
    """
    if not 0 < fraction <= 1:
        raise ModelError(f"the fraction of shoppers must be above 0 and at most 1, it is {fraction}.")
    started = time.monotonic()
    features = choose_features(definition, inputs)
    print_of_all = _fingerprint(definition, features, settings, fraction, fingerprint or inputs.snapshots)
    name = definition.registered_name(fraction)
    known = registry.with_fingerprint(name, print_of_all)
    if known is not None:
        progress(f"{known.full_name} is up to date", 1.0)
        return Trained(known, new=False)

    settings.scratch.mkdir(parents=True, exist_ok=True)
    with registry.building(name) as folder, tempfile.TemporaryDirectory(dir=settings.scratch) as scratch:
        channels = Path(scratch)

        def write(part: Part, target: Path, share: float) -> ChannelCounts:
            return write_channel(inputs, features, settings.split, part, target, fraction=share, progress=progress)

        counts = {"train": write(Part.TRAINING, channels / "train", fraction)}
        if fraction < 1 and not counts["train"].teaches:
            progress(f"{fraction:.0%} of the shoppers teach nothing; {name} takes all of them", None)
            fraction = 1.0
            shutil.rmtree(channels / "train")
            counts = {"train": write(Part.TRAINING, channels / "train", fraction)}
        require_labels(counts["train"], f"the model '{name}'")
        if definition.early_stopping is not None:
            counts["validation"] = write(Part.VALIDATION, channels / "validation", fraction)
        _run_script(definition, settings, channels, counts, progress)
        for made in (channels / "model").iterdir():
            shutil.move(made, folder / made.name)
        rounds = json.loads((folder / "signature.json").read_text(encoding="utf-8"))["rounds"]
        card = ModelCard(
            name=name,
            version=0,
            title=definition.title,
            features=features.names,
            left_out=features.left_out,
            parameters=_hyperparameters(definition, settings),
            rounds=rounds,
            fraction=fraction,
            split=asdict(settings.split),
            counts={channel: asdict(count) for channel, count in counts.items()},
            threshold=_threshold(definition, inputs, settings, fraction, folder, progress),
            snapshots=dict(inputs.snapshots),
            fingerprint=print_of_all,
            code=_code(),
            generated=settings.generated,
            trained_at=settings.now().isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - started, 3),
        )
        card = registry.add(folder, card)
    progress(f"{card.full_name}: {rounds} rounds on {counts['train'].rows:,} rows", 1.0)
    return Trained(card, new=True)


def _hyperparameters(definition: ModelDefinition, settings: TrainingSettings) -> dict[str, float | int | str]:
    return {
        **definition.parameters,
        "num_round": definition.rounds,
        "nthread": settings.threads,
        "seed": settings.seed,
    }


def _run_script(
    definition: ModelDefinition,
    settings: TrainingSettings,
    channels: Path,
    counts: Mapping[str, ChannelCounts],
    progress: Progress,
) -> None:
    """Run entry/train.py as SageMaker does; its rounds become progress, the end of its stderr the error."""
    hyperparameters = _hyperparameters(definition, settings)
    environment = {
        **settings.environment,
        "SM_CHANNEL_TRAIN": str(channels / "train"),
        "SM_MODEL_DIR": str(channels / "model"),
        "SM_OUTPUT_DATA_DIR": str(channels / "output"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "NEXTBASKET_STOP_WITH_STDIN": "1",
    }
    validation = counts.get("validation")
    if validation is not None and validation.shoppers >= _FEW_SHOPPERS and validation.teaches:
        environment["SM_CHANNEL_VALIDATION"] = str(channels / "validation")
        hyperparameters["early_stopping_rounds"] = definition.early_stopping or 0
    elif validation is not None:
        # So few shoppers say nothing about when to stop, and as few to learn from are soon learned by heart.
        hyperparameters["num_round"] = min(definition.rounds, _ROUNDS_FOR_FEW)
    command = [sys.executable, "-P", str(_ENTRY / "train.py")]
    for name, value in hyperparameters.items():
        command += [f"--{name}", str(value)]
    errors = channels / "stderr.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603  # our own script, and arguments from a model definition
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        with process:
            try:
                for line in process.stdout or ():
                    shown = _ROUND.match(line.strip())
                    if shown:
                        done, total = int(shown[1]), int(shown[2])
                        progress(f"{definition.name} round {done} of {total}{shown[3]}", done / total)
                process.wait()
            except BaseException:
                process.kill()
                raise
    if process.returncode != 0:
        with errors.open(encoding="utf-8", errors="replace") as text:
            tail = "".join(deque(text, maxlen=12)).strip() or "it wrote nothing to stderr"
        raise ModelError(f"the training script for '{definition.name}' ended with {process.returncode}: {tail}")


def _threshold(
    definition: ModelDefinition,
    inputs: ModelInputs,
    settings: TrainingSettings,
    fraction: float,
    folder: Path,
    progress: Progress,
) -> float:
    """Return the definition's threshold, or the best one on the validation shoppers where it has none."""
    if definition.threshold is not None:
        return definition.threshold
    signature = folder / "signature.json"
    document = json.loads(signature.read_text(encoding="utf-8"))
    signature.write_text(json.dumps({**document, "threshold": _UNTUNED_THRESHOLD}), encoding="utf-8")
    predictor = XGBoostPredictor(folder, version=definition.name, threads=settings.threads)
    progress("choosing the threshold", None)
    rows = scored_rows(inputs, settings.split, Part.VALIDATION, {definition.name: predictor}, fraction=fraction)
    if rows.outcomes.shoppers < _FEW_SHOPPERS:
        return _UNTUNED_THRESHOLD
    return best_threshold(rows.scores[definition.name], rows.outcomes)


def _fingerprint(
    definition: ModelDefinition,
    features: FeatureChoice,
    settings: TrainingSettings,
    fraction: float,
    content: str | Mapping[str, int | None],
) -> str:
    known: dict[str, Any] = {
        "name": definition.name,
        "parameters": dict(definition.parameters),
        "rounds": definition.rounds,
        "early_stopping": definition.early_stopping,
        "threshold": definition.threshold,
        "features": features.names,
        "split": asdict(settings.split),
        "seed": settings.seed,
        "threads": settings.threads,
        "fraction": fraction,
        "inputs": content if isinstance(content, str) else dict(content),
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _code() -> dict[str, str]:
    """Return the versions of what trains: the package, XGBoost's and the two scripts' content."""
    import xgboost

    scripts = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (_ENTRY / "train.py", _ENTRY / "inference.py")
    }
    return {"nextbasket": __version__, "xgboost": xgboost.__version__, **scripts}
