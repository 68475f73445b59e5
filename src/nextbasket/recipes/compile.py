"""Turn a recipe and an input table into one Ibis expression, with the schema after every step, without running it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis.common.annotations import SignatureValidationError
from ibis.common.exceptions import IbisError

from nextbasket.errors import RecipeError
from nextbasket.recipes.conditions import holds
from nextbasket.recipes.parameters import Kind, ValueFault, nearest, sentence
from nextbasket.recipes.parse import Recipe, Step
from nextbasket.recipes.registry import Conditions

_WHEN = "__nextbasket_when"
_WAS = "__nextbasket_was_"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A recipe made ready for an engine: the expression, the schema after each step, and the decisions it rests on."""

    recipe: Recipe
    expression: ir.Table
    schemas: tuple[ibis.Schema, ...]
    decisions: tuple[str, ...]


def compile(recipe: Recipe, table: ir.Table, secondary: Mapping[str, ir.Table] | None = None) -> Compiled:
    """Compile the recipe over ``table``; ``secondary`` holds the tables that JOIN and UNION name.

    Raises RecipeError with every fault found. Steps after a faulty one that changes the set of columns in ways nobody
    can know are not checked.
    """
    current = table
    schemas: list[ibis.Schema] = []
    decisions: list[str] = []
    faults: list[str] = []
    unsure: set[str] = set()
    for step in recipe.steps:
        found = _missing(step, current, unsure, secondary or {})
        if not found:
            try:
                current = _applied(step, current, secondary or {})
            except (ValueFault, IbisError, SignatureValidationError) as error:
                found = [sentence(str(error))]
        if found:
            faults += [f"step {step.number} ({step.operation}): {text}" for text in found if text]
            if not step.action.form.keeps_rows or step.operation == "RENAME":
                break
            unsure |= _new_columns(step)
        schemas.append(current.schema())
        decisions += [text for text in step.action.form.decisions if text not in decisions]
    if faults:
        raise RecipeError(recipe.name, faults)
    return Compiled(recipe, current, tuple(schemas), tuple(decisions))


def _applied(step: Step, table: ir.Table, secondary: Mapping[str, ir.Table]) -> ir.Table:
    parameters = _with_tables(step, secondary)
    if not step.conditions or step.action.form.conditions is not Conditions.LIMIT:
        return step.action.apply(table, parameters)
    if not step.action.form.keeps_rows:
        # The rows that meet the conditions are the action's whole input ("applied to the rows first").
        return step.action.apply(table.filter(holds(table, step.conditions)), parameters)
    return _limited(step, table, parameters)


def _limited(step: Step, table: ir.Table, parameters: Mapping[str, Any]) -> ir.Table:
    """Apply the action everywhere, then keep its values only where the conditions hold; else the old ones, or NULL."""
    kept = {f"{_WAS}{position}": table[name] for position, name in enumerate(table.columns)}
    positions = {name: position for position, name in enumerate(table.columns)}
    held = table.mutate(**{_WHEN: holds(table, step.conditions)}, **kept)
    after = step.action.apply(held, parameters)
    result = {}
    for name in after.columns:
        if name.startswith((_WHEN, _WAS)):
            continue
        old = after[f"{_WAS}{positions[name]}"] if name in positions else ibis.null(after[name].type())
        if name in positions and after[name].type() != old.type():
            old = old.try_cast(after[name].type())
        result[name] = ibis.ifelse(after[_WHEN], after[name], old)
    return after.select(**result)


def _with_tables(step: Step, secondary: Mapping[str, ir.Table]) -> dict[str, Any]:
    parameters = dict(step.parameters)
    for item in step.action.form.parameters:
        value = parameters.get(item.name)
        if item.kind is Kind.DATASET and value is not None:
            parameters[item.name] = secondary[value]
    return parameters


def _missing(step: Step, table: ir.Table, unsure: set[str], secondary: Mapping[str, ir.Table]) -> list[str]:
    """Return a sentence for each column or data set that the step names and nobody has.

    A column that an earlier faulty step would have made gives an empty sentence: the step cannot run, and the fault
    was told already.
    """
    wanted = [
        (item.name, value)
        for item in step.action.form.parameters
        for value in _columns(item.kind, step.parameters.get(item.name))
    ]
    wanted += [("a condition's TargetColumn", condition.column) for condition in step.conditions]
    sentences = [
        "" if name in unsure else f"{place}: {no_column(name, table)}"
        for place, name in wanted
        if name not in table.columns
    ]
    for item in step.action.form.parameters:
        value = step.parameters.get(item.name)
        if item.kind is Kind.DATASET and value is not None and value not in secondary:
            known = ", ".join(sorted(secondary)) or "none was given"
            sentences.append(f"{item.name}: found the data set {value!r}, known: {known}.")
    return sentences


def _columns(kind: Kind, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if kind is Kind.COLUMN:
        return (value,)
    return tuple(value) if kind is Kind.COLUMNS else ()


def _new_columns(step: Step) -> set[str]:
    return {
        step.parameters[item.name]
        for item in step.action.form.parameters
        if item.kind is Kind.NEW_COLUMN and step.parameters.get(item.name) is not None
    }


def no_column(name: str, table: ir.Table) -> str:
    """Say that the table has no such column, and what it has."""
    near = nearest(name, table.columns)
    hint = f"did you mean {near!r}?" if near else f"allowed is one of {', '.join(table.columns)}."
    return f"there is no column {name!r}; {hint}"
