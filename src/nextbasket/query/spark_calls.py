"""The portable functions that this project translates itself, in Spark's words."""

from collections.abc import Callable

from sqlglot import exp

from nextbasket.query import jsonpaths, operands, timeformats
from nextbasket.query.functions import FORMS
from nextbasket.query.rewriting import around, call, enclosed, expanded, number, with_key, wrapped
from nextbasket.query.signature import SAME, Form


def translated(
    node: exp.Expr, inside: exp.Anonymous, condition: exp.Expr | None, window: exp.Window | None
) -> exp.Expr:
    """Return a call, with the FILTER and OVER around it, as Spark says it; ``node`` is the whole of them."""
    name, given = inside.name, inside.expressions
    if name == "map_agg":
        return _map_agg(inside, condition, window)
    special = _CALLS.get(name)
    if special is not None:
        return special(inside)
    form = next((form for form in FORMS.get(name, ()) if form.takes(len(given))), None)
    if form is None or form.spark == SAME:
        return node
    result = expanded(form, form.spark, given, "spark")
    return around(result, condition, window) if form.aggregate else result


def _map_agg(node: exp.Anonymous, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    key, value = node.expressions
    kept = with_key(key, condition)
    entries = wrapped(call("collect_list", call("struct", key, value)), kept, window)
    count = wrapped(call("count", exp.Star()), kept, window)
    some = exp.GT(this=enclosed(count), expression=number(0))
    return exp.Case(ifs=[exp.If(this=some, true=call("map_from_entries", entries))])


def _sign(node: exp.Anonymous) -> exp.Expr:
    kind = operands.kinds(node)[0]
    return exp.cast(call("sign", *node.expressions), "double" if kind == operands.FLOATING else "bigint")


def _same(node: exp.Anonymous) -> exp.Expr:
    return node


def _cardinality(node: exp.Anonymous) -> exp.Expr:
    return exp.cast(call("size", *node.expressions), "bigint")


def _element_at(node: exp.Anonymous) -> exp.Expr:
    found, key = node.expressions
    if operands.kinds(node)[0] != operands.MAP and not (isinstance(key, exp.Literal) and key.is_string):
        key = exp.cast(key, "int")
    return call("try_element_at", found, key)


def _reduce(node: exp.Anonymous) -> exp.Expr:
    return call("aggregate", *node.expressions)


def _date_parse(node: exp.Anonymous) -> exp.Expr:
    written = timeformats.to_spark(node.expressions[1].name, reading=True)
    return call("to_timestamp", node.expressions[0], exp.Literal.string(written))


def _date_format(node: exp.Anonymous) -> exp.Expr:
    written = timeformats.to_spark(node.expressions[1].name, reading=False)
    return call("date_format", node.expressions[0], exp.Literal.string(written))


def _to_iso8601(node: exp.Anonymous) -> exp.Expr:
    if operands.kinds(node)[0] == operands.DATE:
        return exp.cast(node.expressions[0], "text")
    return call("date_format", node.expressions[0], exp.Literal.string("yyyy-MM-dd'T'HH:mm:ss.SSS"))


# get_json_object gives objects and lists as text, too; what kind of value a path holds is asked of a variant.
_JSON = Form(
    "json(text, path)",
    spark="CASE WHEN NOT schema_of_variant(try_variant_get(try_parse_json(text), path, 'variant')) RLIKE "
    "'^(OBJECT|ARRAY)<' THEN get_json_object(text, path) END",
)


def _json_scalar(node: exp.Anonymous) -> exp.Expr:
    path = exp.Literal.string(jsonpaths.to_spark(node.expressions[1].name))
    return expanded(_JSON, _JSON.spark, [node.expressions[0], path], "spark")


_CALLS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "cardinality": _cardinality,
    "date_format": _date_format,
    "date_parse": _date_parse,
    "element_at": _element_at,
    "json_extract_scalar": _json_scalar,
    "map_filter": _same,
    "reduce": _reduce,
    "reverse": _same,
    "sequence": _same,
    "sign": _sign,
    "to_iso8601": _to_iso8601,
}
