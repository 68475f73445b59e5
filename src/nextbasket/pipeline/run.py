"""Run steps in order, skip what is up to date, and remember enough to go on after a kill."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nextbasket.pipeline.record import StepRecord, StepRecords
from nextbasket.pipeline.steps import Step
from nextbasket.progress import Progress


class StepActions(Protocol):
    """What the pipeline needs from the place that wires everything together."""

    def perform(self, step: Step, run_id: str, progress: Progress) -> Mapping[str, Any]:
        """Do the step; every commit it makes carries ``run_id``. Returns what it reports, as JSON values."""
        ...

    def parameters(self, step: Step) -> Mapping[str, Any]:
        """Return all that the step's result depends on beside its inputs: settings, definitions, code version."""
        ...

    def version(self, name: str) -> str | None:
        """Return the current version of a thing that steps read or write, or None when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended in this run: ``skipped`` when it was up to date; ``seconds`` of wall time in this run."""

    step: str
    skipped: bool
    seconds: float
    detail: Mapping[str, Any]


class Pipeline:
    """Runs steps. ``clock`` returns seconds that only grow; ``new_id`` returns a fresh short text."""

    def __init__(
        self, actions: StepActions, records: StepRecords, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._actions = actions
        self._records = records
        self._clock = clock
        self._new_id = new_id

    def run(
        self,
        steps: Sequence[Step],
        progress: Callable[[Step], Progress],
        finished: Callable[[Step, StepOutcome], None],
        *,
        force: bool = False,
    ) -> list[StepOutcome]:
        """Run the steps in the order given; ``force`` runs also those that are up to date.

        A step that was killed runs again under the run id it had, so that a commit it had already made is found and
        not repeated. An error ends the run; the steps before it stay done.
        """
        outcomes = []
        for step in steps:
            outcome = self._run_one(step, progress(step), force=force)
            finished(step, outcome)
            outcomes.append(outcome)
        return outcomes

    def _run_one(self, step: Step, progress: Progress, *, force: bool) -> StepOutcome:
        fingerprint = self._fingerprint(step)
        before = self._records.read(step.name)
        if before is not None and before.fingerprint == fingerprint and not force:
            if before.finished and before.outputs == self._versions(step.writes):
                return StepOutcome(step.name, skipped=True, seconds=0.0, detail=before.detail)
            run_id = self._new_run_id(step) if before.finished else before.run_id
        else:
            run_id = self._new_run_id(step)
        self._records.write(step.name, StepRecord(fingerprint, run_id))
        start = self._clock()
        detail = self._actions.perform(step, run_id, progress)
        seconds = round(self._clock() - start, 3)
        record = StepRecord(fingerprint, run_id, True, self._versions(step.writes), detail, seconds)
        self._records.write(step.name, record)
        return StepOutcome(step.name, skipped=False, seconds=seconds, detail=detail)

    def _new_run_id(self, step: Step) -> str:
        return f"{step.name}-{self._new_id()}"

    def _versions(self, names: Sequence[str]) -> dict[str, str | None]:
        return {name: self._actions.version(name) for name in names}

    def _fingerprint(self, step: Step) -> str:
        parts = {"parameters": self._actions.parameters(step), "reads": self._versions(step.reads)}
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
