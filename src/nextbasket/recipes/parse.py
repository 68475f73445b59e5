"""Read a recipe as people really have it, and say everything that is wrong with it at once.

Accepted: a bare list of steps, ``{"Steps": [...]}``, a CreateRecipe request, CloudFormation's ``Properties`` and
casing; steps wrapped in ``Action``, ``RecipeAction`` or ``RecipeStep``; lists and maps plain or inside text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nextbasket.errors import RecipeError
from nextbasket.recipes.actions import ACTIONS
from nextbasket.recipes.conditions import CONDITIONS, WITHOUT_VALUE, Condition
from nextbasket.recipes.operations import ALSO_NAMED, FAMILY_OF
from nextbasket.recipes.parameters import Parameter, ValueFault, nearest, sentence, typed
from nextbasket.recipes.registry import Action, Conditions

MAXIMUM_STEPS = 500
"""DataBrew allows 100 steps; some room is left for generated recipes."""

MAXIMUM_CHARACTERS = 5_000_000
"""A longer text is refused before it is read."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its number (from 1), the action, its typed parameters, its conditions."""

    number: int
    action: Action
    parameters: Mapping[str, Any]
    conditions: tuple[Condition, ...] = ()

    @property
    def operation(self) -> str:
        """The action's name."""
        return self.action.form.name


@dataclass(frozen=True, slots=True)
class Recipe:
    """A parsed recipe: its name, its steps, and notes on what was ignored."""

    name: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What has been found so far."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def parse(text: str, name: str = "recipe") -> Recipe:
    """Return the recipe in ``text``; raises RecipeError with every fault found."""
    if len(text) > MAXIMUM_CHARACTERS:
        raise RecipeError(name, [f"the text has {len(text):,} characters, allowed are {MAXIMUM_CHARACTERS:,}."])
    try:
        document = json.loads(text)
    except ValueError as error:
        raise RecipeError(name, [f"the text is not JSON: {error}."]) from error
    except RecursionError:
        raise RecipeError(name, ["the text is nested too deeply."]) from None
    steps = _steps(document)
    if not steps:
        raise RecipeError(name, ['found no steps; allowed is a list of steps, or {"Steps": [...]}.'])
    if len(steps) > MAXIMUM_STEPS:
        raise RecipeError(name, [f"found {len(steps)} steps, allowed are {MAXIMUM_STEPS}."])
    reading = _Reading()
    parsed = [_step(number, raw, reading) for number, raw in enumerate(steps, start=1)]
    if reading.faults:
        raise RecipeError(name, reading.faults)
    return Recipe(name, tuple(step for step in parsed if step is not None), tuple(reading.notes))


def _get(mapping: Mapping[str, Any], *names: str) -> Any:
    """Return the first value found under one of the names, whatever their case."""
    folded = {key.casefold(): value for key, value in mapping.items() if isinstance(key, str)}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), None)


def _steps(document: Any) -> list[Any] | None:
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        inner = _get(document, "Steps")
        if inner is None:
            inner = _get(document, "Properties", "Recipe")
        if isinstance(inner, str):
            try:
                inner = json.loads(inner)
            except ValueError:
                return None
        return _steps(inner)
    return None


def _step(number: int, raw: Any, reading: _Reading) -> Step | None:
    where = f"step {number}"
    wrapper = _get(raw, "RecipeStep") if isinstance(raw, dict) else None
    step = wrapper if isinstance(wrapper, dict) else raw
    action_part = (_get(step, "Action", "RecipeAction") or step) if isinstance(step, dict) else None
    operation = _get(action_part, "Operation") if isinstance(action_part, dict) else None
    if not isinstance(action_part, dict) or not isinstance(operation, str):
        reading.faults.append(f"{where}: found no Action with an Operation.")
        return None
    action = _action(where, operation, reading)
    if action is None:
        return None
    where = f"{where} ({action.form.name})"
    given = _get(action_part, "Parameters")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        reading.faults.append(f"{where}: Parameters is not a map.")
        return None
    faults_before = len(reading.faults)
    parameters = _parameters(where, action, given, reading)
    conditions = _conditions(where, _get(step, "ConditionExpressions"), reading)
    if conditions and action.form.conditions is Conditions.REFUSED:
        reading.faults.append(f"{where}: takes no ConditionExpressions.")
    if action.form.conditions is Conditions.OWN:
        if not conditions and len(reading.faults) == faults_before:
            reading.faults.append(f"{where}: needs ConditionExpressions that say which rows.")
        parameters["conditions"] = conditions
    if len(reading.faults) > faults_before:
        return None
    return Step(number, action, parameters, conditions)


def _action(where: str, operation: str, reading: _Reading) -> Action | None:
    name = operation.strip().upper()
    if name not in FAMILY_OF:
        name = ALSO_NAMED.get(name, name)
    if name in ACTIONS:
        return ACTIONS[name]
    if name in FAMILY_OF:
        near = nearest(name, list(ACTIONS))
        hint = f"; the nearest that is: {near}" if near else ""
        reading.faults.append(f"{where}: the action {name} is known and not built yet{hint}.")
        return None
    near = nearest(name, list(FAMILY_OF))
    hint = f"; did you mean {near}?" if near else ""
    reading.faults.append(f"{where}: there is no action {operation!r}{hint}")
    return None


def _parameters(where: str, action: Action, given: Mapping[str, Any], reading: _Reading) -> dict[str, Any]:
    form = action.form
    names = {spelling.casefold(): item for item in form.parameters for spelling in (item.name, *item.also_named)}
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for key, raw in given.items():
        parameter = names.get(key.casefold())
        if parameter is None:
            unknown.append(key)
            continue
        try:
            found[parameter.name] = typed(parameter, raw)
        except ValueFault as fault:
            reading.faults.append(sentence(f"{where}: {parameter.name}: {fault}"))
            found[parameter.name] = None
    for key in unknown:
        absent = [item.name for item in form.parameters if item.name not in found]
        near = nearest(key, absent, likeness=0.8)
        if near is not None:
            reading.faults.append(f"{where}: found the parameter {key!r}; did you mean {near!r}?")
            found[near] = None
        else:
            reading.notes.append(f"{where}: the parameter {key!r} is ignored.")
    for parameter in form.parameters:
        if parameter.name not in found:
            if parameter.required:
                reading.faults.append(f"{where}: the parameter {parameter.name} ({_wanted(parameter)}) is missing.")
            found[parameter.name] = parameter.default
    return found


def _wanted(parameter: Parameter) -> str:
    return ", ".join(parameter.allowed) if parameter.allowed else parameter.kind.value


def _conditions(where: str, raw: Any, reading: _Reading) -> tuple[Condition, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        reading.faults.append(f"{where}: ConditionExpressions is not a list.")
        return ()
    conditions = []
    for index, item in enumerate(raw, start=1):
        place = f"{where}, condition {index}"
        condition = _get(item, "Condition") if isinstance(item, dict) else None
        column = _get(item, "TargetColumn") if isinstance(item, dict) else None
        if not isinstance(condition, str) or not isinstance(column, str):
            reading.faults.append(f"{place}: Condition and TargetColumn are needed.")
            continue
        name = condition.strip().upper()
        if name not in CONDITIONS:
            near = nearest(name, CONDITIONS)
            hint = f"; did you mean {near}?" if near else f"; allowed is one of {', '.join(CONDITIONS)}"
            reading.faults.append(f"{place}: there is no condition {condition!r}{hint}")
            continue
        value = _get(item, "Value")
        if value is None and name not in WITHOUT_VALUE:
            reading.faults.append(f"{place}: {name} needs a Value.")
            continue
        conditions.append(Condition(name, value, column))
    return tuple(conditions)
