"""What is remembered of a step between runs: enough to skip it when nothing changed and to repeat it after a kill."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


class StateStore(Protocol):
    """A durable map of texts; the local catalog is one."""

    def state(self, key: str) -> str | None:
        """Return the text under ``key`` or None."""
        ...

    def set_state(self, key: str, value: str) -> None:
        """Store ``value`` under ``key`` durably."""
        ...


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The last attempt of a step.

    ``fingerprint`` stands for its inputs, parameters and code; ``outputs`` holds the version of each thing it wrote;
    ``finished`` is False while it runs and after a kill; ``detail`` is what it reported; ``seconds`` is wall time.
    """

    fingerprint: str
    run_id: str
    finished: bool = False
    outputs: Mapping[str, str | None] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class StepRecords:
    """The records of all steps, one text each in the state store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def read(self, step: str) -> StepRecord | None:
        """Return the step's record, or None when it never ran."""
        text = self._store.state(f"step:{step}")
        return None if text is None else StepRecord(**json.loads(text))

    def write(self, step: str, record: StepRecord) -> None:
        """Remember the record."""
        self._store.set_state(f"step:{step}", json.dumps(asdict(record)))
