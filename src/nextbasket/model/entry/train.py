"""Train one XGBoost model by SageMaker's script contract; stands alone and needs only xgboost, pyarrow and numpy.

Environment: SM_CHANNEL_TRAIN and (optional) SM_CHANNEL_VALIDATION are folders of Parquet files whose column ``label``
is 0 or 1 and whose other columns are features; SM_MODEL_DIR receives ``model.ubj`` and ``signature.json``,
SM_OUTPUT_DATA_DIR receives ``training.json``. Hyperparameters come as ``--name value``. One line per round on stdout.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import xgboost

LABEL = "label"
REAL = ("eta", "gamma", "colsample_bytree", "subsample", "min_child_weight", "alpha", "lambda", "scale_pos_weight")
WHOLE = ("max_depth", "max_bin", "max_leaves", "nthread", "seed")
TEXT = ("objective", "tree_method", "grow_policy", "monotone_constraints")


class RowGroups(xgboost.DataIter):
    """Feeds Parquet row groups to XGBoost one by one, so that only the quantised rows stay in memory."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.rglob("*.parquet"))
        if not self._files:
            raise SystemExit(f"no Parquet file in {folder}")
        names = pq.ParquetFile(self._files[0]).schema_arrow.names
        self.features = [name for name in names if name != LABEL]
        self._groups = [
            (file, group) for file in self._files for group in range(pq.ParquetFile(file).metadata.num_row_groups)
        ]
        self._next = 0
        super().__init__()

    def reset(self) -> None:
        """Start again at the first row group."""
        self._next = 0

    def next(self, input_data: Any) -> bool:
        """Hand over the next row group; False when there is none."""
        if self._next == len(self._groups):
            return False
        file, group = self._groups[self._next]
        self._next += 1
        table = pq.ParquetFile(file).read_row_group(group)
        rows = np.empty((table.num_rows, len(self.features)), dtype=np.float32)
        for position, name in enumerate(self.features):
            rows[:, position] = table.column(name).to_numpy()
        input_data(data=rows, label=table.column(LABEL).to_numpy().astype(np.float32), feature_names=self.features)
        return True


class Rounds(xgboost.callback.TrainingCallback):
    """Prints one line a round, for whoever watches."""

    def __init__(self, total: int) -> None:
        self._total = total

    # model is part of the signature by which XGBoost calls it.
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        """Print the round and its last metric; never stops the training."""
        shown = "".join(
            f" {data}-{metric}={values[-1]:.6f}"
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        )
        say(f"round {epoch + 1}/{self._total}{shown}")
        return False


def hyperparameters(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; SageMaker passes every hyperparameter as ``--name value``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--num_round", type=int, required=True)
    parser.add_argument("--early_stopping_rounds", type=int, default=0)
    for name in REAL:
        parser.add_argument(f"--{name}", type=float)
    for name in WHOLE:
        parser.add_argument(f"--{name}", type=int)
    for name in TEXT:
        parser.add_argument(f"--{name}")
    return parser.parse_args(arguments)


def main(arguments: list[str], environment: dict[str, str]) -> None:
    """Read the channels, grow the trees, write the model."""
    chosen = hyperparameters(arguments)
    parameters = {name: getattr(chosen, name) for name in REAL + WHOLE + TEXT if getattr(chosen, name) is not None}
    parameters = {"objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist", **parameters}
    train_rows = RowGroups(Path(environment["SM_CHANNEL_TRAIN"]))
    bins = {"max_bin": parameters["max_bin"]} if "max_bin" in parameters else {}
    threads = parameters.get("nthread")
    train = xgboost.QuantileDMatrix(train_rows, nthread=threads, **bins)
    watched = []
    if environment.get("SM_CHANNEL_VALIDATION"):
        validation_rows = RowGroups(Path(environment["SM_CHANNEL_VALIDATION"]))
        if validation_rows.features != train_rows.features:
            raise SystemExit("the validation channel's columns differ from the train channel's")
        watched = [(xgboost.QuantileDMatrix(validation_rows, ref=train, nthread=threads, **bins), "validation")]
    stopping = chosen.early_stopping_rounds if watched and chosen.early_stopping_rounds else None
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        parameters,
        train,
        num_boost_round=chosen.num_round,
        evals=watched,
        evals_result=history,
        early_stopping_rounds=stopping,
        verbose_eval=False,
        callbacks=[Rounds(chosen.num_round)],
    )
    if stopping:
        # The trees after the best round are cut off: every reader of the file then gets the best model.
        booster = booster[: booster.best_iteration + 1]
    rounds = booster.num_boosted_rounds()
    booster.set_attr(best_iteration=None, best_score=None)

    model_folder = Path(environment["SM_MODEL_DIR"])
    model_folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(model_folder / "model.ubj")
    signature = {"features": train_rows.features, "rounds": rounds, "xgboost": xgboost.__version__}
    (model_folder / "signature.json").write_text(json.dumps(signature, indent=2) + "\n", encoding="utf-8")
    if environment.get("SM_OUTPUT_DATA_DIR"):
        output = Path(environment["SM_OUTPUT_DATA_DIR"])
        output.mkdir(parents=True, exist_ok=True)
        record = {"rounds": rounds, "rows": int(train.num_row()), "parameters": parameters, "history": history}
        (output / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    say(f"trained {rounds} rounds on {train.num_row()} rows")


def say(line: str) -> None:
    """Write a line for whoever watches, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def stop_with_parent() -> None:
    """End at once when standard input closes: the parent holds its other end, so a killed parent leaves no orphan."""
    # os.read, not sys.stdin: a thread waiting inside its buffer would abort Python's own shutdown.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    if os.environ.get("NEXTBASKET_STOP_WITH_STDIN") == "1":
        threading.Thread(target=stop_with_parent, daemon=True).start()
    try:
        main(sys.argv[1:], dict(os.environ))
    except xgboost.core.XGBoostError as fault:
        # The first line says what is wrong; the rest are addresses inside the library.
        raise SystemExit(f"XGBoost: {str(fault).strip().splitlines()[0]}") from fault
