"""The pipeline skips what is up to date, runs what changed, and goes on after a failure or a kill."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from nextbasket.pipeline.record import StepRecords
from nextbasket.pipeline.run import Pipeline, StepOutcome
from nextbasket.pipeline.steps import Step
from nextbasket.progress import Progress, silent

FIRST = Step("first", "makes a", (), (), ("a",))
SECOND = Step("second", "makes b of a", ("first",), ("a",), ("b",))


class Store:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def state(self, key: str) -> str | None:
        return self.texts.get(key)

    def set_state(self, key: str, value: str) -> None:
        self.texts[key] = value


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


class Shop:
    """Actions over numbered versions, which remembers what was asked of it."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.performed: list[tuple[str, str]] = []
        self.settings: dict[str, Any] = {}
        self.killed_in: str | None = None
        self._numbers = count(1)

    def perform(self, step: Step, run_id: str, progress: Progress) -> Mapping[str, Any]:
        progress("working", None)
        self.performed.append((step.name, run_id))
        if step.name == self.killed_in:
            raise Killed
        for name in step.writes:
            self.versions[name] = str(next(self._numbers))
        return {"rows": 3}

    def parameters(self, step: Step) -> Mapping[str, Any]:
        return self.settings.get(step.name, {})

    def version(self, name: str) -> str | None:
        return self.versions.get(name)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def store() -> Store:
    return Store()


def run(shop: Shop, store: Store, **options: bool) -> list[StepOutcome]:
    ids = count(len(shop.performed) + 1)
    pipeline = Pipeline(shop, StepRecords(store), clock=lambda: 0.0, new_id=lambda: str(next(ids)))
    return pipeline.run([FIRST, SECOND], lambda _: silent, lambda _step, _outcome: None, **options)


def names(outcomes: list[StepOutcome]) -> list[tuple[str, bool]]:
    return [(outcome.step, outcome.skipped) for outcome in outcomes]


def test_a_second_run_does_nothing_and_still_knows_the_details(shop: Shop, store: Store) -> None:
    assert names(run(shop, store)) == [("first", False), ("second", False)]
    again = run(shop, store)
    assert names(again) == [("first", True), ("second", True)]
    assert again[1].detail == {"rows": 3}
    assert len(shop.performed) == 2


def test_a_changed_parameter_runs_its_step_and_what_reads_its_output(shop: Shop, store: Store) -> None:
    run(shop, store)
    shop.settings["first"] = {"seed": 2}
    assert names(run(shop, store)) == [("first", False), ("second", False)]


def test_a_change_further_down_leaves_the_steps_above_alone(shop: Shop, store: Store) -> None:
    run(shop, store)
    shop.settings["second"] = {"rounds": 2}
    assert names(run(shop, store)) == [("first", True), ("second", False)]


def test_an_output_that_somebody_else_changed_is_made_again(shop: Shop, store: Store) -> None:
    run(shop, store)
    shop.versions["b"] = "changed by hand"
    assert names(run(shop, store)) == [("first", True), ("second", False)]


def test_force_runs_what_is_up_to_date_under_a_new_run_id(shop: Shop, store: Store) -> None:
    run(shop, store)
    run(shop, store, force=True)
    ids = [run_id for name, run_id in shop.performed if name == "second"]
    assert len(ids) == 2
    assert ids[0] != ids[1]


def test_a_killed_step_runs_again_under_the_run_id_it_had(shop: Shop, store: Store) -> None:
    shop.killed_in = "second"
    with pytest.raises(Killed):
        run(shop, store)
    shop.killed_in = None
    assert names(run(shop, store)) == [("first", True), ("second", False)]
    ids = [run_id for name, run_id in shop.performed if name == "second"]
    assert ids[0] == ids[1]


def test_a_killed_step_whose_inputs_changed_gets_a_new_run_id(shop: Shop, store: Store) -> None:
    shop.killed_in = "second"
    with pytest.raises(Killed):
        run(shop, store)
    shop.killed_in = None
    shop.versions["a"] = "other rows"
    run(shop, store)
    ids = [run_id for name, run_id in shop.performed if name == "second"]
    assert ids[0] != ids[1]
