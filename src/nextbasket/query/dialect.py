"""Athena's SQL as this project runs it: parse, check against the portable dialect, rewrite for each engine.

Only what means the same on every engine is let through: the statement must be a SELECT, every piece of syntax and
every function must stand in an allow-list, and a refused function is named together with what to use instead. Where
an engine differs from Athena (integer division, ``date_add`` on a DATE, types of results) the statement is rewritten.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from nextbasket.errors import QueryError
from nextbasket.query import jsonpaths, patterns, timeformats
from nextbasket.query.functions import OWN, PORTABLE, REFUSED, arguments_fault, unknown
from nextbasket.query.rewriting import rewritten

# sqlglot warns through logging where it keeps a statement unparsed; such statements are refused by name here.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

PATH_COLUMN = "$path"
"""Athena's hidden column: the file a row was read from."""

INTEGER_TYPES = frozenset({exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT})

_CATALOGS = ("awsdatacatalog",)


_PARSED = frozenset({"CAST", "TRY_CAST", "EXTRACT", "LISTAGG", "POSITION", "SUBSTRING", "TRIM"})


# Athena runs queries and CREATE TABLE AS on Trino; sqlglot's own "athena" adds Hive's rules for other statements.
class Athena(Trino):
    """Trino's dialect, with the functions that this project translates itself, and subscripts, left as written."""

    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        """Trino's parser, knowing fewer functions."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {
            name: build for name, build in TrinoParser.FUNCTIONS.items() if name.lower() not in OWN
        }
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            name: parse for name, parse in TrinoParser.FUNCTION_PARSERS.items() if name in _PARSED
        }


_READ = Athena


class _Tokenizer(Trino.Tokenizer):
    """Trino's tokenizer, without swallowing the rest of SHOW and EXPLAIN as one text."""

    COMMANDS: ClassVar[set[TokenType]] = set()


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a statement names it, in lower case; ``offset`` is its place in the statement, if known."""

    database: str | None
    name: str
    offset: int | None = None

    @property
    def key(self) -> str:
        """``database.table``, or ``table`` where no database is named."""
        return f"{self.database}.{self.name}" if self.database else self.name


@dataclass(frozen=True, slots=True)
class Statement:
    """A checked SELECT: its text and its syntax tree (not to be changed; engines work on a copy)."""

    text: str
    tree: exp.Expr

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The tables it reads, each once, in order of appearance."""
        found: dict[str, TableName] = {}
        for table in read_tables(self.tree):
            name = table_name(table)
            found.setdefault(name.key, name)
        return tuple(found.values())

    def error(self, message: str, offset: int | None = None) -> QueryError:
        """Return a QueryError that points into this statement."""
        return error_at(self.text, message, offset)


def error_at(text: str, message: str, offset: int | None) -> QueryError:
    """Return a QueryError for a place in a text, given as an offset from 0; None where it is not known."""
    if offset is None:
        return QueryError(message)
    before = text[:offset]
    return QueryError(message, line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1)


def tokenize(text: str) -> list[Token]:
    """Cut a text into Athena's tokens; raises QueryError where a quote or comment is never closed."""
    try:
        return list(_Tokenizer(dialect=_READ).tokenize(text))
    except TokenError as error:
        raise QueryError("the statement cannot be read: a quote or a comment is not closed.") from error


def parse(text: str) -> exp.Expr:
    """Parse exactly one statement of any kind; raises QueryError with line and column."""
    if not tokenize(text):
        raise QueryError("the statement is empty.")
    try:
        trees = [tree for tree in sqlglot.parse(text, read=_READ) if tree is not None]
    except ParseError as error:
        raise _syntax_error(error) from error
    trees = [tree for tree in trees if not isinstance(tree, exp.Semicolon)]
    if len(trees) != 1:
        raise QueryError(f"one statement at a time, please: {len(trees)} were given.")
    return rewritten(trees[0], _as_called)


def _as_called(node: exp.Expr) -> exp.Expr:
    """Return a call written with words between its arguments as the plain call it stands for."""
    given: list[exp.Expr | None]
    if isinstance(node, exp.Substring):
        name, given = "substr", [node.this, node.args.get("start"), node.args.get("length")]
    elif isinstance(node, exp.StrPosition):
        name, given = "strpos", [node.this, node.args.get("substr")]
    elif isinstance(node, exp.Trim):
        side = {"LEADING": "ltrim", "TRAILING": "rtrim"}
        name, given = side.get(str(node.args.get("position") or ""), "trim"), [node.this, node.expression or None]
    elif isinstance(node, exp.Extract):
        field = _FIELDS.get(node.this.name.lower())
        if field is None:
            return node
        name, given = field, [node.expression]
        if field not in OWN:
            return exp.func(field, node.expression, dialect=Athena)
    else:
        return node
    plain = exp.Anonymous(this=name, expressions=[argument for argument in given if argument is not None])
    plain.meta.update(node.meta)
    return plain


def parse_query(text: str) -> exp.Expr:
    """Parse one SELECT (WITH, VALUES and set operations included), not yet checked; raises QueryError."""
    tree = parse(text)
    if not isinstance(tree, exp.Query | exp.Values):
        raise QueryError(f"only SELECT can run here, not {_kind(tree)}.")
    return tree


def parse_select(text: str, functions: Collection[str] = ()) -> Statement:
    """Parse and check one SELECT (WITH, VALUES and set operations included).

    ``functions`` are names registered with the engine, allowed beside the portable ones. Raises QueryError.
    """
    registered = {name.lower() for name in functions}
    _refuse_known(text, registered)
    statement = Statement(text, parse_query(text))
    check(statement, registered)
    return statement


def check(statement: Statement, functions: Collection[str] = ()) -> None:
    """Raise QueryError for the first thing in the statement that the portable dialect does not hold."""
    tree = statement.tree
    # What FOR … AS OF names is no part of what the engine runs (query.references).
    for node in tree.walk(prune=lambda inside: isinstance(inside, exp.Version)):
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            name = node.this.name or node.this.key
            raise statement.error(f"{name}(…) cannot stand in FROM: read tables by their name.", place(node.this))
        if isinstance(node, exp.Table) and node.catalog and node.catalog.lower() not in _CATALOGS:
            raise statement.error(f"there is no catalog {node.catalog!r}: write database.table.", place(node))
        _refuse_divergent(statement, node)
        if isinstance(node, exp.Func) or type(node) in _SYNTAX:
            continue
        raise statement.error(f"{_kind(node)} is not part of the portable dialect (docs/sql.md).", place(node))
    _check_functions(statement, set(functions))


def _refuse_divergent(statement: Statement, node: exp.Expr) -> None:
    """Refuse what parses but does not mean the same everywhere."""
    fault = _divergence(node)
    if fault is not None:
        word = str(node.sql(dialect=Athena)).split("(")[0].split()[0]
        offset = place(node)
        raise statement.error(fault, offset if offset is not None else identifier_offset(statement.text, word))


def _divergence(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Func) and node.key.startswith(("current", "localtime")):
        return f"{node.key} differs at each run: give the time as a parameter (?)."
    if isinstance(node, exp.DataType):
        if node.this in (exp.DType.VARCHAR, exp.DType.CHAR) and node.expressions:
            return "varchar(n) cuts texts only in Athena: use substr(x, 1, n) or plain varchar."
        if node.this not in _TYPES:
            return f"the type {node.sql(dialect='trino').lower()} is not part of the portable dialect: {_TYPES_HINT}."
    if isinstance(node, exp.Distinct) and node.args.get("on") is not None:
        return "DISTINCT ON is not Athena's: use row_number() and a condition."
    if isinstance(node, exp.All | exp.Any):
        return f"{node.key.upper()} (SELECT …) is not read by every engine: use IN, EXISTS, max() or min()."
    if isinstance(node, exp.WindowSpec) and str(node.args.get("kind")).upper() == "GROUPS":
        return "a GROUPS frame is not read by every engine: use ROWS or RANGE."
    if isinstance(node, exp.Unnest) and node.args.get("alias") is None:
        return "UNNEST needs names for what it gives: UNNEST(…) AS t (column, …)."
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc | exp.DateAdd | exp.DateDiff):
        unit = node.args.get("unit")
        if unit is not None and unit.name.lower() not in _UNITS:
            return f"{unit.name.lower() or 'that'} is no unit of time here: use {', '.join(_UNITS)}."
    if isinstance(node, exp.Window) and isinstance(node.this, exp.Anonymous) and node.this.name == "approx_distinct":
        return "approx_distinct() over a window is not read by every engine: group in a subquery and join."
    if isinstance(node, exp.Extract):
        return f"extract() has no field {node.this.name.lower()}: use {', '.join(_FIELDS)}."
    if isinstance(node, exp.Try):
        inside = next((part for part in node.this.walk() if not _may_be_tried(part)), None)
        if inside is not None:
            return f"try() takes arithmetic, casts and subscripts here, not {_kind(inside)}: put it outside of try()."
    if isinstance(node, exp.Anonymous):
        return arguments_fault(node.name.lower(), len(node.expressions)) or _text_fault(node)
    return None


def _may_be_tried(node: exp.Expr) -> bool:
    return isinstance(node, _TRIED) or (isinstance(node, exp.Anonymous) and node.name.lower() in _TOTAL)


def _text_fault(node: exp.Anonymous) -> str | None:
    """Return what is wrong with a pattern, a format or a path, which must be known before the statement runs."""
    name, given = node.name.lower(), node.expressions
    written = [item.name if isinstance(item, exp.Literal) and item.is_string else None for item in given]
    if name in ("date_parse", "date_format"):
        if written[1] is None:
            return f"{name}() needs its format written as a text, such as '%Y-%m-%d'."
        return timeformats.fault(written[1], reading=name == "date_parse")
    if name == "json_extract_scalar" and (written[1] is None or jsonpaths.parts(written[1]) is None):
        return f"{name}() cannot use that path: {jsonpaths.HINT}."
    if name.startswith("regexp_") and written[1] is not None:
        fault = patterns.fault(written[1])
        if fault is None and name.startswith("regexp_extract") and len(given) == 3 and given[2].is_int:
            number = int(given[2].name)
            if patterns.optional_group(written[1], number):
                fault = f"group {number} may take no part in a match, which engines give as '' and Athena as NULL: "
                fault += "write the ? inside of the group."
        if fault is not None:
            return fault
    if name == "regexp_replace" and len(given) == 3:
        if written[2] is None:
            return "regexp_replace() needs its replacement written as a text."
        return patterns.replacement_fault(written[2])
    return None


def _refuse_known(text: str, registered: set[str]) -> None:
    # Before parsing: of these functions sqlglot wants its own number of arguments, and its error would name none.
    tokens = tokenize(text)
    for token, following in pairwise(tokens):
        name = token.text.lower()
        if following.token_type is TokenType.L_PAREN and name in REFUSED and _is_word(token):
            _check_name(text, name, registered, token.start)


def _check_functions(statement: Statement, registered: set[str]) -> None:
    # Names in front of a parenthesis are judged as the person wrote them: sqlglot renames functions while parsing.
    named = {alias.name.lower() for alias in statement.tree.find_all(exp.TableAlias)}
    for token, following in pairwise(tokenize(statement.text)):
        if following.token_type is not TokenType.L_PAREN or token.token_type in _NOT_NAMES:
            continue
        # PARTITION BY and its like are one token of two words.
        name = token.text.lower().split()[-1] if token.text.strip() else ""
        if not _is_word(token) or name in _BEFORE_PARENTHESIS or name in named:
            continue
        _check_name(statement.text, name, registered, token.start)
    for node in statement.tree.find_all(exp.Anonymous):
        _check_name(statement.text, node.name.lower(), registered, place(node))


def _check_name(text: str, name: str, registered: set[str], offset: int | None) -> None:
    if name not in PORTABLE and name not in registered:
        raise error_at(text, unknown(name, registered), offset)


def read_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """Yield the nodes of a tree that name stored tables: names of a WITH in scope are left out."""
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not _is_cte(table):
            yield table


def table_name(table: exp.Table) -> TableName:
    """Return the name a table node stands for."""
    return TableName(table.db.lower() or None, table.name.lower(), place(table))


def _is_cte(table: exp.Table) -> bool:
    if table.db:
        return False
    name = table.name.lower()
    node: exp.Expr | None = table
    while node is not None:
        inside = node
        node = node.parent
        if node is None:
            return False
        with_ = node.args.get("with_")
        if isinstance(node, exp.With):
            # Inside a WITH only the earlier names are visible, and its own when it is recursive.
            for cte in node.expressions:
                if cte is inside:
                    if node.recursive and cte.alias.lower() == name:
                        return True
                    break
                if cte.alias.lower() == name:
                    return True
        elif with_ is not None and with_ is not inside and any(c.alias.lower() == name for c in with_.expressions):
            return True
    return False


def normalised(tree: exp.Expr) -> exp.Expr:
    """Return a copy with Athena's names: unquoted identifiers in lower case, unnamed result columns ``_colN``."""
    copy = tree.copy()
    for identifier in copy.find_all(exp.Identifier):
        if not identifier.quoted:
            identifier.set("this", identifier.this.lower())
        identifier.set("quoted", True)
    for call in copy.find_all(exp.Anonymous):
        call.set("this", call.name.lower())
    top = copy
    while isinstance(top, exp.Subquery):
        top = top.this
    if isinstance(top, exp.SetOperation):
        while isinstance(top, exp.SetOperation | exp.Subquery):
            top = top.this
    if isinstance(top, exp.Select):
        top.set("expressions", [_named(item, index) for index, item in enumerate(top.expressions)])
    return copy


def _named(item: exp.Expr, index: int) -> exp.Expr:
    if isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Aliases):
        return item
    return exp.alias_(item, f"_col{index}", quoted=True)


def resolved(tree: exp.Expr, resolve: Callable[[exp.Table], str], columns: Mapping[str, Sequence[str]]) -> exp.Expr:
    """Return a normalised copy whose stored tables are all named ``database.table``; ``resolve`` gives their keys.

    ``columns`` (by key) is given where ``"$path"`` is read: stars then stand for these, as in Athena.
    """
    copy = normalised(tree)
    if columns:
        _expand_stars(copy, resolve, columns)
    for node in list(read_tables(copy)):
        database, _, name = resolve(node).rpartition(".")
        alias = node.args.get("alias")
        node.set("alias", alias or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("db", exp.to_identifier(database or "main", quoted=True))
        node.set("catalog", None)
    return copy


def _expand_stars(tree: exp.Expr, resolve: Callable[[exp.Table], str], columns: Mapping[str, Sequence[str]]) -> None:
    for select in list(tree.find_all(exp.Select)):
        from_ = select.args.get("from_")
        if from_ is None:
            continue
        sources = [from_.this, *(join.this for join in select.args.get("joins") or [])]
        stored = {id(source) for source in read_tables(tree)}
        known = {source.alias_or_name.lower(): columns[resolve(source)] for source in sources if id(source) in stored}
        names = [source.alias_or_name for source in sources]
        items: list[exp.Expr] = []
        for item in select.expressions:
            wanted = names if isinstance(item, exp.Star) else [item.table] if item.is_star else []
            if not any(name.lower() in known for name in wanted):
                items.append(item)
                continue
            for name in wanted:
                if name.lower() in known:
                    items += [exp.column(column, name, quoted=True) for column in known[name.lower()]]
                else:
                    items.append(exp.Column(this=exp.Star(), table=exp.to_identifier(name, quoted=True)))
        select.set("expressions", items)


def ordered(tree: exp.Expr) -> bool:
    """Say whether the statement orders its result."""
    while isinstance(tree, exp.Subquery) and tree.args.get("order") is None:
        tree = tree.this
    return tree.args.get("order") is not None


def uses_path(tree: exp.Expr) -> bool:
    """Say whether the statement reads Athena's hidden column ``"$path"``."""
    return any(column.name.lower() == PATH_COLUMN for column in tree.find_all(exp.Column))


def identifier_offset(text: str, name: str) -> int | None:
    """Return where a name first stands as a word of its own in a statement."""
    for token in tokenize(text):
        if token.text.lower() == name.lower() and (_is_word(token) or token.token_type is TokenType.IDENTIFIER):
            return token.start
    return None


def _is_word(token: Token) -> bool:
    return bool(token.text) and (token.text[0].isalpha() or token.text[0] == "_")


def place(node: exp.Expr) -> int | None:
    """Return where a node stands in its statement's text, as an offset from 0; None where it is not known."""
    around: exp.Expr | None = node
    while around is not None:
        # Numbers and operators have no place of their own: what is nearest inside or around them has.
        for found in (around, *around.find_all(exp.Identifier, exp.Func)):
            start = found.meta.get("start")
            if isinstance(start, int):
                return start
        around = None if isinstance(around.parent, exp.Select) else around.parent
    return None


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        return str(node.this).upper()
    if isinstance(node, exp.Create):
        return f"CREATE {node.kind}"
    return node.key.upper()


def _syntax_error(error: ParseError) -> QueryError:
    first = error.errors[0] if error.errors else {}
    line, column, word = first.get("line"), first.get("col"), str(first.get("highlight") or "")
    if not isinstance(line, int) or not isinstance(column, int):
        return QueryError("the statement cannot be read as SQL.")
    column = max(1, column - len(word) + 1)
    near = f"near {word!r}" if word.strip() else "at its end"
    return QueryError(f"the statement cannot be read as SQL {near}.", line=line, column=column)


_NOT_NAMES = {TokenType.STRING, TokenType.NUMBER, TokenType.R_PAREN, TokenType.COMMA, TokenType.L_PAREN}

_BEFORE_PARENTHESIS = frozenset(
    {
        "all", "and", "any", "array", "as", "between", "bigint", "boolean", "by", "char", "cross", "cube", "date",
        "decimal", "distinct", "double", "else", "end", "except", "exists", "filter", "for", "from", "full", "group",
        "having", "in", "inner", "int", "integer", "intersect", "into", "is", "join", "lateral", "left", "like",
        "limit", "map", "not", "of", "offset", "on", "or", "order", "ordinality", "outer", "over", "partition", "real",
        "recursive", "right", "rollup", "row", "select", "sets", "smallint", "some", "then", "time", "timestamp",
        "tinyint", "union", "unnest", "using", "values", "varchar", "varbinary", "when", "where", "window", "with",
        "within", "case", "respect", "ignore", "nulls", "interval",
    }
)  # fmt: skip
"""Words that may stand in front of a parenthesis without being a function."""

_SYNTAX: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Add, exp.Alias, exp.All, exp.And, exp.Any, exp.Array, exp.Between, exp.Boolean,
        exp.Bracket, exp.Column, exp.CTE, exp.Cube, exp.DataType, exp.DataTypeParam, exp.Distinct, exp.Div, exp.Dot,
        exp.DPipe, exp.EQ, exp.Escape, exp.Except, exp.Filter, exp.From, exp.Group, exp.GroupingSets, exp.GT, exp.GTE,
        exp.Having, exp.Identifier, exp.IgnoreNulls, exp.In, exp.Intersect, exp.Interval, exp.IntervalSpan, exp.Is,
        exp.Join, exp.Lambda, exp.Like, exp.Limit, exp.Literal, exp.LT, exp.LTE, exp.Mod, exp.Mul, exp.Neg, exp.NEQ,
        exp.Not, exp.Null, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Offset, exp.Fetch, exp.Or, exp.Order, exp.Ordered,
        exp.Paren, exp.Placeholder, exp.RespectNulls, exp.Rollup, exp.Select, exp.Star, exp.Sub, exp.Subquery,
        exp.Table, exp.TableAlias, exp.Tuple, exp.Union, exp.Unnest, exp.Values, exp.Var, exp.Where, exp.Window,
        exp.Version, exp.WindowSpec, exp.With, exp.WithinGroup, exp.ColumnDef, exp.HexString, exp.Lateral,
        exp.LimitOptions,
    }
)  # fmt: skip
"""The syntax of the portable dialect; functions are judged by name."""

_TYPES = frozenset(
    {
        exp.DType.BOOLEAN, *INTEGER_TYPES, exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.VARCHAR,
        exp.DType.VARBINARY, exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.ARRAY, exp.DType.MAP, exp.DType.STRUCT,
    }
)  # fmt: skip
_TYPES_HINT = (
    "use boolean, tinyint, smallint, integer, bigint, real, double, decimal, varchar, varbinary, date, timestamp, "
    "array, map or row"
)

_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
"""What date_trunc, date_add and date_diff count."""

_FIELDS = {
    **{name: name for name in ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "day_of_week")},
    **{"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week", "day_of_month": "day"},
    **{"day_of_year": "day_of_year", "year_of_week": "year_of_week"},
}
"""The functions that extract(field FROM x) stands for."""

_TRIED = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Paren, exp.Literal, exp.Null, exp.Boolean, exp.Column,
    exp.Identifier, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Bracket, exp.Array, exp.Length,
)  # fmt: skip
"""What try() may hold: it gives NULL for NULL on every engine, or cannot fail."""

_TOTAL = frozenset({"element_at", "lower", "ltrim", "replace", "rtrim", "strpos", "substr", "trim", "upper"})
