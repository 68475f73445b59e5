"""Actions that prepare values for a model: binarise, map categories."""

import re
from typing import Any

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.column import converted
from nextbasket.recipes.actions.forms import SOURCE, TARGET, numeric
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault, typed
from nextbasket.recipes.registry import Family, Parameters

FAMILY = Family("science")

_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


@FAMILY.action(
    "BINARIZATION",
    SOURCE,
    TARGET,
    Parameter("threshold", Kind.NUMBER, "the number that separates 0 from 1"),
    Parameter("flip", Kind.BOOLEAN, "1 at or below the threshold, 0 above it", required=False, default=False),
    decisions=("BINARIZATION: NULL stays NULL.",),
)
def binarization(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Write 1 for values above a threshold and 0 for the others."""
    column = numeric(table[parameters["sourceColumn"]], "sourceColumn")
    above = column <= parameters["threshold"] if parameters["flip"] else column > parameters["threshold"]
    return table.mutate(**{parameters["targetColumn"]: above.cast("int32")})


@FAMILY.action(
    "CATEGORICAL_MAPPING",
    SOURCE,
    Parameter("targetColumn", Kind.NEW_COLUMN, "the mapped column; the source itself when absent", required=False),
    Parameter("categoryMap", Kind.MAP, "from original values to new ones"),
    Parameter("deleteOtherRows", Kind.BOOLEAN, "remove rows whose value is not mapped", required=False, default=False),
    Parameter("other", Kind.TEXT, "what unmapped values become", required=False),
    Parameter("keepOthers", Kind.BOOLEAN, "unmapped values stay as they are", required=False, default=False),
    Parameter("mapType", Kind.TEXT, "NUMERIC: the new values are numbers", required=False, default="STRING"),
    decisions=(
        "CATEGORICAL_MAPPING: values are compared as text; a missing value is an unmapped one; unmapped values are "
        "removed, replaced by 'other', kept, or NULL, in this order; NUMERIC gives whole numbers where all new values "
        "are whole, else numbers with fractions.",
    ),
    keeps_rows=False,
)
def categorical_mapping(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Replace values by others from a map."""
    column = table[parameters["sourceColumn"]]
    numbers = parameters["mapType"].strip().upper() in ("NUMERIC", "NUMBER")
    mapping = {key: _value(value, numbers, "categoryMap") for key, value in parameters["categoryMap"].items()}
    other = None if parameters["other"] is None else _value(parameters["other"], numbers, "other")
    values = [*mapping.values(), *([] if other is None else [other])]
    if not mapping:
        raise ValueFault("categoryMap: found an empty map, allowed is at least one value.")
    kind = "string" if not numbers else "int64" if all(isinstance(value, int) for value in values) else "float64"
    source, keys = _comparable(column, tuple(mapping))
    target = parameters["targetColumn"] or parameters["sourceColumn"]
    if parameters["deleteOtherRows"]:
        # The filter stands alone so that engines can push it down.
        table = table.filter(source.isin(list(keys.values())) if keys else ibis.literal(False))
        column = table[parameters["sourceColumn"]]
        source, keys = _comparable(column, tuple(mapping))
    if other is not None:
        rest = ibis.literal(other, type=kind)
    elif parameters["keepOthers"]:
        rest = converted(column, ibis.dtype(kind))
    else:
        rest = ibis.null(kind)
    branches = [(source == key, ibis.literal(mapping[text], type=kind)) for text, key in keys.items()]
    return table.mutate(**{target: ibis.cases(*branches, else_=rest) if branches else rest})


def _value(raw: Any, numbers: bool, place: str) -> Any:
    """Return a new value as a number or as text."""
    kind = Kind.NUMBER if numbers else Kind.TEXT
    try:
        return typed(Parameter(place, kind), raw)
    except ValueFault as fault:
        raise ValueFault(f"{place}: {fault}") from fault


def _comparable(column: ir.Value, texts: tuple[str, ...]) -> tuple[ir.Value, dict[str, Any]]:
    """Return the column and the map's keys in a form in which they compare as their texts would.

    Whole numbers compare as numbers: a key that is not a whole number in its plain writing never matches.
    """
    if column.type().is_integer():
        return column, {text: int(text) for text in texts if _CANONICAL_INTEGER.fullmatch(text)}
    if column.type().is_string():
        return column, {text: text for text in texts}
    return column.cast("string"), {text: text for text in texts}
