"""Arrays, maps and rows in Spark's words: subscripts, UNNEST and array_agg."""

from sqlglot import exp

from nextbasket.query import operands
from nextbasket.query.rewriting import call, enclosed, expanded, number, wrapped
from nextbasket.query.signature import Form

_ELEMENT = Form(
    "element(items, place)",
    spark="CASE WHEN place < 0 THEN raise_error('Array subscript is negative') "
    "ELSE element_at(items, CAST(place AS INT)) END",
)
_TRIED = Form("element(items, place)", spark="CASE WHEN place > 0 THEN try_element_at(items, CAST(place AS INT)) END")
_VALUE = Form(
    "value(items, place)",
    spark="CASE WHEN NOT map_contains_key(items, place) THEN raise_error('Key not present in map') "
    "ELSE element_at(items, place) END",
)


def subscript(node: exp.Bracket) -> exp.Expr | None:
    """Return ``a[i]`` or ``m[k]``, an error outside as in Athena; None where it is not known which of them it is."""
    kind, key_kind = operands.kinds(node)
    key = node.expressions[0]
    tried = node.find_ancestor(exp.Try) is not None
    if kind == operands.MAP or (isinstance(key, exp.Literal) and key.is_string):
        if tried:
            return call("try_element_at", node.this, key)
        return expanded(_VALUE, _VALUE.spark, [node.this, key], "spark")
    if kind != operands.ARRAY and key_kind != operands.INTEGER:
        return None
    form = _TRIED if tried else _ELEMENT
    return expanded(form, form.spark, [node.this, key], "spark")


def unnested(node: exp.Expr) -> exp.Expr:
    """Return UNNEST as a subquery beside what it reads."""
    alias = node.args["alias"].copy()
    counted = node.args.get("offset")
    columns = len(alias.columns)
    if counted:
        alias.set("columns", [*alias.columns, counted.copy()])
    arrays = node.expressions
    kind = _kind(next(iter(operands.types(node)), None), len(arrays), columns)
    item = _generated(arrays, kind, bool(counted))
    inside = exp.Subquery(this=exp.Select(expressions=[item]))
    if isinstance(node.parent, exp.Join):
        return exp.Lateral(this=inside, alias=alias)
    inside.set("alias", alias)
    return inside


def _kind(found: exp.DataType | None, arrays: int, columns: int) -> str:
    if found is not None and found.this is exp.DType.MAP:
        return operands.MAP
    inside = found.expressions[0] if found is not None and found.expressions else None
    if isinstance(inside, exp.DataType) and inside.this is exp.DType.STRUCT:
        return operands.ROW
    return operands.ROW if arrays == 1 and columns > 1 else operands.OTHER


def _generated(arrays: list[exp.Expr], kind: str, counted: bool) -> exp.Expr:
    """Return the generator that gives a row for each element."""
    if kind == operands.MAP and not counted:
        return call("explode", arrays[0])
    if kind == operands.MAP:
        arrays = [call("map_keys", arrays[0]), call("map_values", arrays[0].copy())]
    elif kind == operands.ROW and not counted:
        return call("inline", arrays[0])
    elif len(arrays) == 1 and not counted:
        return call("explode", arrays[0])
    # Arrays of unequal length are filled up with NULL, and a NULL array counts as an empty one.
    sizes = [call("coalesce", call("size", array.copy()), number(0)) for array in arrays]
    longest = sizes[0] if len(sizes) == 1 else call("greatest", *sizes)
    places = call("sequence", number(1), longest.copy())
    some = exp.Case(ifs=[exp.If(this=exp.GT(this=longest, expression=number(0)), true=places)])
    place = exp.to_identifier("i", quoted=True)
    fields: list[exp.Expr] = []
    for at, array in enumerate(arrays):
        element = call("get", array.copy(), exp.Sub(this=place.copy(), expression=number(1)))
        fields += [exp.Literal.string(f"c{at}"), element]
    if counted:
        fields += [exp.Literal.string("n"), exp.cast(place.copy(), "bigint")]
    rows = call("transform", some, exp.Lambda(this=call("named_struct", *fields), expressions=[place]))
    return call("inline", rows)


def array_agg(node: exp.ArrayAgg, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    """Return array_agg with its NULLs and its order, which collect_list does not keep."""
    value: exp.Expr = node.this
    keys: list[exp.Expr] = []
    if isinstance(value, exp.Order):
        keys = value.expressions
        value = value.this
    distinct = isinstance(value, exp.Distinct)
    if isinstance(value, exp.Distinct):
        value = value.expressions[0]
    fields: list[exp.Expr] = []
    for place, key in enumerate(keys):
        fields += [exp.Literal.string(f"k{place}"), key.this.copy()]
    fields += [exp.Literal.string("v"), value.copy()]
    collected = call("collect_set" if distinct else "collect_list", call("named_struct", *fields))
    items = wrapped(collected, condition, window)
    if keys:
        items = call("array_sort", items, _comparator(keys))
    entry = exp.to_identifier("e", quoted=True)
    found = exp.Dot(this=entry.copy(), expression=exp.to_identifier("v"))
    values = call("transform", items, exp.Lambda(this=found, expressions=[entry]))
    count = wrapped(call("count", exp.Star()), condition, window)
    some = exp.GT(this=enclosed(count), expression=number(0))
    return exp.Case(ifs=[exp.If(this=some, true=values)])


def _comparator(keys: list[exp.Expr]) -> exp.Expr:
    left, right = exp.to_identifier("l", quoted=True), exp.to_identifier("r", quoted=True)
    ifs: list[exp.Expr] = []
    for place, key in enumerate(keys):
        name = exp.to_identifier(f"k{place}")
        one = exp.Dot(this=left.copy(), expression=name.copy())
        other = exp.Dot(this=right.copy(), expression=name.copy())
        down = -1 if key.args.get("desc") else 1
        first = -1 if key.args.get("nulls_first") else 1
        no_one = exp.Is(this=one.copy(), expression=exp.Null())
        no_other = exp.Is(this=other.copy(), expression=exp.Null())
        ifs += [
            exp.If(this=exp.and_(no_one.copy(), exp.Not(this=no_other.copy())), true=_signed(first)),
            exp.If(this=exp.and_(exp.Not(this=no_one), no_other), true=_signed(-first)),
            exp.If(this=exp.LT(this=one.copy(), expression=other.copy()), true=_signed(-down)),
            exp.If(this=exp.GT(this=one, expression=other), true=_signed(down)),
        ]
    return exp.Lambda(this=exp.Case(ifs=ifs, default=number(0)), expressions=[left, right])


def _signed(value: int) -> exp.Expr:
    return exp.Neg(this=number(1)) if value < 0 else number(1)
