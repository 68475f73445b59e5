"""From Athena's dialect to DuckDB's, and from DuckDB's errors to sentences about the person's own statement."""

import re
from collections.abc import Callable

import duckdb
from sqlglot import exp

from nextbasket.errors import HomeError, NextbasketError, QueryError
from nextbasket.query import dialect, duckdb_macros, jsonpaths, operands, patterns, timeformats
from nextbasket.query.error_places import suspect
from nextbasket.query.functions import FORMS
from nextbasket.query.rewriting import (
    aggregate,
    around,
    call,
    enclosed,
    expanded,
    number,
    outermost,
    replaced,
    rewritten,
    with_key,
    wrapped,
)
from nextbasket.query.sentences import reworded
from nextbasket.query.signature import SAME


def macros(tree: exp.Expr) -> list[str]:
    """Return the macro definitions a statement needs."""
    return duckdb_macros.needed(to_duckdb(tree))


def to_duckdb(tree: exp.Expr) -> str:
    """Return a resolved, annotated tree as DuckDB SQL."""
    return str(rewritten(tree.copy(), _rewrite).sql(dialect="duckdb"))


def _rewrite(node: exp.Expr) -> exp.Expr:
    rule = _RULES.get(type(node))
    if rule is not None:
        return rule(node)
    if isinstance(node, exp.Window | exp.Filter | exp.Anonymous) and outermost(node):
        inside, condition, window = aggregate(node)
        if isinstance(inside, exp.Anonymous):
            return _call(node, inside, condition, window)
    return node


# --- operators -------------------------------------------------------------------------------------------------------


def _division(node: exp.Expr) -> exp.Expr:
    left, right = operands.kinds(node)
    if left == right == operands.INTEGER:
        return exp.Paren(this=exp.IntDiv(this=enclosed(node.this), expression=enclosed(node.expression)))
    if operands.FLOATING in (left, right):
        return node
    return call("athena_divide", node.this, node.expression)


def _cast(node: exp.Expr) -> exp.Expr:
    assert isinstance(node, exp.Cast)  # noqa: S101 (by the table of rules)
    left, _ = operands.kinds(node)
    wanted = node.to.this
    if left == operands.FLOATING and wanted in dialect.INTEGER_TYPES:
        # DuckDB rounds halves to even here, Athena away from zero.
        node.set("this", exp.func("round", node.this))
    if left == operands.TEXT:
        # DuckDB reads '1.5' as the integer 2, '2024-01-01 10:00:00' as a date and 'yes' as true.
        guard = "athena_whole" if wanted in dialect.INTEGER_TYPES else _GUARDS.get(wanted)
        if guard is not None and not _plain_date(node):
            node.set("this", call(guard, node.this))
    if wanted is exp.DType.TIMESTAMP:
        # DuckDB's TIMESTAMP(3) is a type of its own.
        node.set("to", exp.DataType.build("timestamp", dialect="duckdb"))
    return node


_GUARDS = {exp.DType.DATE: "athena_day", exp.DType.BOOLEAN: "athena_truth"}


def _plain_date(node: exp.Cast) -> bool:
    inside = node.this
    return isinstance(inside, exp.Literal) and re.fullmatch(r"\d{4}-\d\d-\d\d", inside.name) is not None


def _date_diff(node: exp.Expr) -> exp.Expr:
    # Athena counts whole units gone by, DuckDB's date_diff the boundaries crossed.
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return call("date_sub", unit, node.expression, node.this)


def _stays_date(node: exp.Expr) -> exp.Expr:
    left, _ = operands.kinds(node)
    if left != operands.DATE:
        return node
    if isinstance(node, exp.Add | exp.Sub):
        return exp.cast(exp.Paren(this=node), "date") if isinstance(node.expression, exp.Interval) else node
    return exp.cast(node, "date")


def _bracket(node: exp.Expr) -> exp.Expr:
    kind, _ = operands.kinds(node)
    key = node.expressions[0]
    tried = node.find_ancestor(exp.Try) is not None
    if kind == operands.MAP or (isinstance(key, exp.Literal) and key.is_string):
        return call("map_extract_value" if tried else "athena_map_subscript", node.this, key)
    return call("athena_tried_subscript" if tried else "athena_subscript", node.this, key)


def _average(node: exp.Expr) -> exp.Expr:
    if not outermost(node):
        return node
    inside, _, _ = aggregate(node)
    if not isinstance(inside, exp.Avg):
        return node
    kind = operands.decimal(next(iter(operands.types(inside)), None))
    # The mean of decimals has their digits in Athena.
    return exp.cast(node, f"decimal({kind[0]}, {kind[1]})") if kind is not None else node


def _windowed(node: exp.Expr) -> exp.Expr:
    inside, condition, window = aggregate(node)
    if isinstance(inside, exp.Anonymous) and outermost(node):
        return _call(node, inside, condition, window)
    return _average(node)


def _row(node: exp.Expr) -> exp.Expr:
    if isinstance(node.parent, exp.Cast) or any(isinstance(item, exp.PropertyEQ) for item in node.expressions):
        return call("row", *node.expressions) if isinstance(node.parent, exp.Cast) else node
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(f"field{place}", quoted=True), expression=value)
        for place, value in enumerate(node.expressions)
    ]
    return exp.Struct(expressions=fields)


def _unnest(node: exp.Expr) -> exp.Expr:
    """Return UNNEST as a subquery beside what it reads: DuckDB knows no UNNEST of several arrays, of maps or rows."""
    alias = node.args["alias"].copy()
    counted = node.args.get("offset")
    kinds = [_nested_kind(found) for found in (*operands.types(node), *[None] * len(node.expressions))]
    columns = len(alias.columns)
    if counted:
        alias.set("columns", [*alias.columns, counted.copy()])
    items: list[exp.Expr] = []
    sizes: list[exp.Expr] = []
    for array, kind in zip(node.expressions, kinds, strict=False):
        if kind == operands.MAP:
            items += [call("unnest", call("map_keys", array.copy())), call("unnest", call("map_values", array.copy()))]
            sizes.append(call("cardinality", array.copy()))
            continue
        sizes.append(call("len", array.copy()))
        if kind == operands.ROW or (len(node.expressions) == 1 and columns > 1):
            depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=number(2))
            items.append(call("unnest", array.copy(), depth))
        else:
            items.append(call("unnest", array.copy()))
    if counted:
        longest = sizes[0] if len(sizes) == 1 else call("greatest", *sizes)
        items.append(call("unnest", call("range", number(1), exp.Add(this=longest, expression=number(1)))))
    inside = exp.Subquery(this=exp.Select(expressions=items))
    if isinstance(node.parent, exp.Join):
        return exp.Lateral(this=inside, alias=alias)
    inside.set("alias", alias)
    return inside


def _nested_kind(found: exp.DataType | None) -> str:
    if found is None:
        return operands.UNKNOWN
    if found.this is exp.DType.MAP:
        return operands.MAP
    inside = found.expressions[0] if found.this is exp.DType.ARRAY and found.expressions else None
    return operands.ROW if isinstance(inside, exp.DataType) and inside.this is exp.DType.STRUCT else operands.OTHER


_RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Div: _division,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.DateDiff: _date_diff,
    exp.DateAdd: _stays_date,
    exp.DateTrunc: _stays_date,
    exp.TimestampTrunc: _stays_date,
    exp.Add: _stays_date,
    exp.Sub: _stays_date,
    exp.Bracket: _bracket,
    exp.Avg: _average,
    exp.Window: _windowed,
    exp.Filter: _windowed,
    exp.Struct: _row,
    exp.Unnest: _unnest,
}


# --- functions -------------------------------------------------------------------------------------------------------


def _call(node: exp.Expr, inside: exp.Anonymous, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    name, given = inside.name, inside.expressions
    if name == "map_agg":
        return _map_agg(inside, condition, window)
    special = _CALLS.get(name)
    if special is not None:
        return special(inside)
    form = next((form for form in FORMS.get(name, ()) if form.takes(len(given))), None)
    if form is None or form.duckdb == SAME:
        return node
    if name.startswith("regexp_replace") and len(given) == 3:
        given = [*given[:2], exp.Literal.string(patterns.replacement_to_duckdb(given[2].name))]
    result = expanded(form, form.duckdb, given, "duckdb")
    return around(result, condition, window) if form.aggregate else result


def _map_agg(node: exp.Anonymous, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    key, value = node.expressions
    entries = wrapped(call("list", call("row", key, value)), with_key(key, condition), window)
    return call("map_from_entries", entries)


def _sign(node: exp.Anonymous) -> exp.Expr:
    return call("cast_to_type", call("sign", node.expressions[0]), node.expressions[0].copy())


def _reverse(node: exp.Anonymous) -> exp.Expr:
    name = "list_reverse" if operands.kinds(node)[0] == operands.ARRAY else "athena_reverse"
    return call(name, *node.expressions)


def _cardinality(node: exp.Anonymous) -> exp.Expr:
    name = "cardinality" if operands.kinds(node)[0] == operands.MAP else "len"
    return exp.cast(call(name, *node.expressions), "bigint")


def _element_at(node: exp.Anonymous) -> exp.Expr:
    key = node.expressions[1]
    if operands.kinds(node)[0] == operands.MAP or (isinstance(key, exp.Literal) and key.is_string):
        return call("map_extract_value", *node.expressions)
    tried = node.find_ancestor(exp.Try) is not None
    return call("list_extract" if tried else "athena_element", *node.expressions)


def _sequence(node: exp.Anonymous) -> exp.Expr:
    kind = operands.kinds(node)[0]
    if kind not in (operands.DATE, operands.TIMESTAMP):
        return call("athena_sequence", *node.expressions)
    start, stop, *step = node.expressions
    if not step:
        step = [exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="DAY"))]
    times = call("generate_series", exp.cast(start, "timestamp"), exp.cast(stop, "timestamp"), *step)
    return exp.cast(times, "date[]", dialect="duckdb") if kind == operands.DATE else times


def _reduce(node: exp.Anonymous) -> exp.Expr:
    array, start, step, finish = node.expressions
    result = call("list_reduce", array, step, start)
    return replaced(finish.this, {finish.expressions[0].name: result})


def _map_filter(node: exp.Anonymous) -> exp.Expr:
    found, function = node.expressions
    entry = exp.to_identifier("e", quoted=True)
    key, value = (part.name for part in function.expressions)
    body = replaced(
        function.this,
        {
            key: exp.Dot(this=entry.copy(), expression=exp.to_identifier("key")),
            value: exp.Dot(this=entry.copy(), expression=exp.to_identifier("value")),
        },
    )
    kept = call("list_filter", call("map_entries", found), exp.Lambda(this=body, expressions=[entry]))
    return call("map_from_entries", kept)


def _date_parse(node: exp.Anonymous) -> exp.Expr:
    return call("strptime", node.expressions[0], exp.Literal.string(timeformats.to_duckdb(node.expressions[1].name)))


def _date_format(node: exp.Anonymous) -> exp.Expr:
    return call("strftime", node.expressions[0], exp.Literal.string(timeformats.to_duckdb(node.expressions[1].name)))


def _to_iso8601(node: exp.Anonymous) -> exp.Expr:
    if operands.kinds(node)[0] == operands.DATE:
        return exp.cast(node.expressions[0], "text")
    return call("strftime", node.expressions[0], exp.Literal.string("%Y-%m-%dT%H:%M:%S.%g"))


def _json_scalar(node: exp.Anonymous) -> exp.Expr:
    path = exp.Literal.string(jsonpaths.to_duckdb(node.expressions[1].name))
    return call("athena_json_scalar", node.expressions[0], path)


_CALLS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "cardinality": _cardinality,
    "date_format": _date_format,
    "date_parse": _date_parse,
    "element_at": _element_at,
    "json_extract_scalar": _json_scalar,
    "map_filter": _map_filter,
    "reduce": _reduce,
    "reverse": _reverse,
    "sequence": _sequence,
    "sign": _sign,
    "to_iso8601": _to_iso8601,
}


# --- errors ----------------------------------------------------------------------------------------------------------


def translate(
    error: duckdb.Error, statement: dialect.Statement | None, tree: exp.Expr | None = None
) -> NextbasketError:
    """Return DuckDB's error as a sentence; it points to what is at fault in the statement where that can be told."""
    text = str(error)
    if "No space left on device" in text:
        return HomeError("the disk is full: free some space and run it again, nothing was changed.")
    head = re.split(r"\n\s*\n", text, maxsplit=1)[0]
    head = re.sub(r"^[A-Za-z ]+ Error: ", "", head)
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("the query needs more memory than it may use: raise the memory limit or read less.")
    if "convert string 'Infinity'" in head or "convert string '-Infinity'" in head or "string 'NaN'" in head:
        head = "division by zero"
    if "Division by zero" in head:
        head = "division by zero"
    if head == "division by zero":
        sentence, name = "division by zero.", None
    else:
        sentence, name = reworded(text)
    if statement is None:
        return QueryError(sentence)
    offset = dialect.identifier_offset(statement.text, name.rpartition(".")[2]) if name else None
    if offset is None and tree is not None:
        offset = suspect(statement, tree, sentence)
    return statement.error(sentence, offset)
