"""Actions that change the shape of a table: group, join."""

from collections.abc import Callable, Mapping
from typing import Any

import ibis.expr.types as ir

from nextbasket.recipes.actions.column import TYPES, converted
from nextbasket.recipes.actions.forms import existing, numeric
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault, nearest
from nextbasket.recipes.registry import Conditions, Family, Parameters

FAMILY = Family("structure")


def _of_numbers(figure: Callable[[ir.NumericColumn], ir.Value]) -> Callable[[ir.Value], ir.Value]:
    return lambda column: figure(numeric(column, "sourceColumnName"))


FUNCTIONS: Mapping[str, Callable[[ir.Value], ir.Value]] = {
    "COUNT": lambda column: column.count(),
    "COUNT_DISTINCT": lambda column: column.nunique(),
    "SUM": _of_numbers(lambda column: column.sum()),
    "AVG": _of_numbers(lambda column: column.cast("float64").mean()),
    "MIN": lambda column: column.min(),
    "MAX": lambda column: column.max(),
    "MEDIAN": _of_numbers(lambda column: column.cast("float64").median()),
    "STDDEV": _of_numbers(lambda column: column.cast("float64").std(how="pop")),
    "VARIANCE": _of_numbers(lambda column: column.cast("float64").var(how="pop")),
}
"""GROUP_BY's functions by DataBrew's name."""

_SPELLINGS = {"AVERAGE": "AVG", "MEAN": "AVG", "COUNTDISTINCT": "COUNT_DISTINCT", "STANDARD_DEVIATION": "STDDEV"}


@FAMILY.action(
    "GROUP_BY",
    Parameter("sourceColumns", Kind.COLUMNS, "the columns that form the groups"),
    Parameter(
        "groupByAggFunctionOptions",
        Kind.OBJECTS,
        "for each figure: sourceColumnName, functionName, targetColumnName, targetColumnDataType",
        required=False,
    ),
    Parameter("groupByAggFunctions", Kind.TEXT, "UNAGGREGATED for the groups alone", required=False),
    Parameter("useNewDataFrame", Kind.BOOLEAN, "only a session looks at this", required=False, default=True),
    decisions=(
        "GROUP_BY: the result has the group columns, then the figures as listed, whatever useNewDataFrame says; "
        "COUNT counts present values; NULLs form one group; STDDEV and VARIANCE are of the population; "
        "targetColumnDataType 'number' leaves the figure's own type.",
    ),
    keeps_rows=False,
)
def group_by(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Group rows and compute figures for each group."""
    keys = parameters["sourceColumns"]
    options = parameters["groupByAggFunctionOptions"]
    if not keys:
        raise ValueFault("sourceColumns: found an empty list, allowed is at least one column.")
    if not options:
        if (parameters["groupByAggFunctions"] or "").strip().upper() == "UNAGGREGATED":
            return table.select(*keys).distinct()
        raise ValueFault("groupByAggFunctionOptions is missing.")
    figures: dict[str, ir.Value] = {}
    for position, option in enumerate(options, start=1):
        name, figure = _figure(table, option, f"figure {position}")
        if name in figures or name in keys:
            raise ValueFault(f"figure {position}: the name {name!r} is used twice.")
        figures[name] = figure
    return table.group_by(list(keys)).aggregate(**figures)


def _figure(table: ir.Table, option: Mapping[str, Any], place: str) -> tuple[str, ir.Value]:
    given = {key.casefold(): value for key, value in option.items()}
    source, target = given.get("sourcecolumnname"), given.get("targetcolumnname")
    wanted = str(given.get("functionname", "")).strip().upper()
    wanted = _SPELLINGS.get(wanted, wanted)
    if wanted not in FUNCTIONS:
        near = nearest(wanted, list(FUNCTIONS))
        hint = f"; did you mean {near}?" if near else ""
        raise ValueFault(f"{place}: found the function {wanted!r}, allowed is one of {', '.join(FUNCTIONS)}{hint}")
    if not isinstance(source, str):
        raise ValueFault(f"{place}: sourceColumnName is missing.")
    figure = FUNCTIONS[wanted](existing(table, source, place))
    kind = given.get("targetcolumndatatype")
    if isinstance(kind, str) and kind in TYPES:
        figure = converted(figure, TYPES[kind])
    return target if isinstance(target, str) and target else f"{source}_{wanted.lower()}", figure


_HOW = {
    "INNER_JOIN": "inner",
    "LEFT_JOIN": "left",
    "RIGHT_JOIN": "right",
    "OUTER_JOIN": "outer",
    "LEFT_EXCLUDING_JOIN": "anti",
}


@FAMILY.action(
    "JOIN",
    Parameter("secondaryDatasetName", Kind.DATASET, "the other data set"),
    Parameter("joinKeys", Kind.OBJECTS, "pairs {key: column here, value: column there}"),
    Parameter("joinType", Kind.CHOICE, "the kind of join", allowed=tuple(_HOW)),
    Parameter("leftColumns", Kind.COLUMNS, "columns kept from here"),
    Parameter("rightColumns", Kind.TEXTS, "columns kept from there"),
    decisions=(
        "JOIN: NULL keys match nothing; a column of the other data set whose name is taken gets the suffix _right; "
        "the three excluding joins but the left one are not built yet.",
    ),
    keeps_rows=False,
    conditions=Conditions.REFUSED,
)
def join(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Join with another data set."""
    other: ir.Table = parameters["secondaryDatasetName"]
    how = _HOW[parameters["joinType"]]
    left, right = parameters["leftColumns"], parameters["rightColumns"]
    pairs = [
        (existing(table, pair.get("key", ""), "joinKeys"), pair.get("value", "")) for pair in parameters["joinKeys"]
    ]
    if not pairs:
        raise ValueFault("joinKeys: found an empty list, allowed is at least one pair.")
    predicates = [key == existing(other, name, "joinKeys") for key, name in pairs]
    for name in right:
        existing(other, name, "rightColumns")
    if how == "anti":
        return table.anti_join(other, predicates).select(*left)
    renamed = {f"{name}_right" if name in left else name: name for name in right}
    joined = table.join(other, predicates, how=how, lname="__left_{name}", rname="__right_{name}")
    columns = {name: joined[_side(joined, "__left_", name)] for name in left}
    columns |= {new: joined[_side(joined, "__right_", name)] for new, name in renamed.items()}
    return joined.select(**columns)


def _side(joined: ir.Table, prefix: str, name: str) -> str:
    return f"{prefix}{name}" if f"{prefix}{name}" in joined.columns else name
