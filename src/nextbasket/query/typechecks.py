"""What Athena refuses or reads in its own way by the operands' types, refused before any engine runs it."""

from sqlglot import exp

from nextbasket.query import dialect, operands

_EXACT = frozenset({operands.INTEGER, operands.DECIMAL})
_TIMES = frozenset({operands.DATE, operands.TIMESTAMP})
_NUMBERS = frozenset({operands.INTEGER, operands.DECIMAL, operands.FLOATING})
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between)


def refuse(statement: dialect.Statement, tree: exp.Expr) -> None:
    """Raise QueryError for the first operation in an annotated tree that engines would do in ways of their own."""
    for node in tree.walk():
        fault = _fault(node)
        if fault is not None:
            raise statement.error(f"{node.sql(dialect=dialect.Athena)} {fault}", dialect.place(node))


def _fault(node: exp.Expr) -> str | None:
    left, right = operands.kinds(node)
    found = {left, right}
    if isinstance(node, exp.Div) and operands.DECIMAL in found and found <= _EXACT:
        return "divides decimals, which Athena rounds to their own digits: write CAST(… AS double) around one side."
    if isinstance(node, exp.Add | exp.Sub) and found & _TIMES and found & _NUMBERS:
        return "counts days without saying so: write date_add('day', n, x)."
    if isinstance(node, exp.Sub) and left in _TIMES and right in _TIMES:
        return "is an interval in Athena and a number elsewhere: write date_diff('day', from, to)."
    if isinstance(node, exp.Cast) and node.to.this is exp.DType.VARCHAR:
        if left == operands.FLOATING:
            return (
                "gives a text like 1.0E0 in Athena and 1.0 elsewhere: CAST to a decimal(p, s) first, such as "
                "CAST(CAST(x AS decimal(18, 2)) AS varchar)."
            )
        if left in (operands.ARRAY, operands.MAP, operands.ROW):
            return "makes a text of what has parts, which Athena refuses: use array_join(), or its parts."
        if left == operands.TIMESTAMP:
            return "has as many digits of a second as the type says: write date_format(x, '%Y-%m-%d %H:%i:%s')."
    if isinstance(node, exp.Avg) and left == operands.DECIMAL and operands.decimal(operands.types(node)[0]) is None:
        return "is rounded to the digits of its decimals, which are not known here: CAST them to a decimal or double."
    if isinstance(node, exp.Bracket) and left == operands.ROW:
        return "takes a row's field by its number: name the fields by CAST(… AS ROW(name type)) and write row.name."
    if isinstance(node, exp.DPipe) and operands.TEXT in found and found & (_TIMES | _NUMBERS):
        return "joins a text with something else, which Athena refuses: CAST it to varchar."
    if isinstance(node, exp.ConcatWs) and operands.ARRAY in operands.all_kinds(node):
        return "joins an array, which engines write in ways of their own: use array_join()."
    if isinstance(node, exp.In | exp.Between):
        found = set(operands.all_kinds(node))
    if isinstance(node, _COMPARED) and operands.TEXT in found and found & (_TIMES | _NUMBERS):
        return "compares a text with something else, which Athena refuses: CAST one side."
    return None
