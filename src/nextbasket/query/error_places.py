"""Where a statement can have failed while it ran: engines tell what was wrong, not where."""

import re

from sqlglot import exp

from nextbasket.query import dialect

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul)
_CLUES: tuple[tuple[str, tuple[type[exp.Expr], ...], frozenset[str]], ...] = (
    (r"division by zero", (exp.Div, exp.Mod), frozenset({"/", "%", "mod"})),
    (r"subscript|array ind|index \S+ is (?:out|invalid)|key not present", (exp.Bracket,), frozenset({"["})),
    (r"index must be greater", (), frozenset({"split_part"})),
    (r"could not parse|cannot parse|could not be parsed", (), frozenset({"date_parse"})),
    (r"padding", (), frozenset({"lpad", "rpad"})),
    (r"map keys|duplicate map key", (exp.Map,), frozenset({"map"})),
    (
        r"out of range|overflow|cannot be represented|try_cast|is no \w+|cannot be cast|malformed",
        (exp.Cast, *_ARITHMETIC, exp.Sum),
        frozenset({"cast", "+", "*", "sum"}),
    ),
)


def suspect(statement: dialect.Statement, tree: exp.Expr, message: str) -> int | None:
    """Return the offset of the only operation in a statement that can have failed so; None where there are several.

    ``tree`` is the statement with its views in place: what fails in a view stands nowhere in the statement.
    """
    for pattern, classes, words in _CLUES:
        if re.search(pattern, message, flags=re.IGNORECASE) is None:
            continue
        found = [token for token in dialect.tokenize(statement.text) if token.text.lower() in words]
        # [ also begins the values of ARRAY[…].
        before = {token.end + 1 for token in dialect.tokenize(statement.text) if token.text.lower() == "array"}
        found = [token for token in found if token.text != "[" or token.start not in before]
        nodes = [node for node in tree.walk() if isinstance(node, classes) and not _literal_cast(node)]
        calls = [node for node in tree.find_all(exp.Anonymous) if node.name.lower() in words]
        return found[0].start if len(found) == 1 and len(nodes) + len(calls) == 1 else None
    return None


def _literal_cast(node: exp.Expr) -> bool:
    """Say whether a node is a typed literal such as DATE '2024-01-01', which was read before."""
    return isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string
