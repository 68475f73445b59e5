"""Which statement a text is: a SELECT, one that makes, changes, drops or shows a table, or one that does not run here.

What a statement asks of an engine is kept as a piece of its own text or tree in which every word stays at its place,
so that an error points into what the person wrote.
"""

from itertools import pairwise

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from nextbasket.errors import NotBuiltError, QueryError
from nextbasket.query import dialect
from nextbasket.query.create_table import read_create_table
from nextbasket.query.kinds import (
    Change,
    CreateView,
    Describe,
    Drop,
    Explain,
    Insert,
    Select,
    ShowDatabases,
    ShowTable,
    ShowTables,
    Statement,
)
from nextbasket.query.tokens import Words, blank, is_quoted

TOO_DEEP = "the statement is nested too deeply: cut it into views, or into parts named by WITH."

_INSTEAD = {
    "alter": "make the table anew with CREATE TABLE AS; 'nextbasket crawl' changes the tables it finds",
    "analyze": "leave it out: plans are made from the files themselves",
    "call": "there are no procedures; write a SELECT",
    "deallocate": "keep the statement as definitions/queries/NAME.sql and run it as @NAME",
    "execute": "keep the statement as definitions/queries/NAME.sql and run it as @NAME",
    "msck": "run 'nextbasket crawl', which finds new partitions",
    "optimize": "make the table anew with CREATE TABLE AS, which writes few large files",
    "prepare": "keep the statement as definitions/queries/NAME.sql and run it as @NAME",
    "unload": "use --output FILE, or CREATE TABLE AS with external_location",
    "use": "name the database with --database",
    "vacuum": "run 'nextbasket vacuum'",
}
_CREATE_INSTEAD = {
    "external": "land the files and run 'nextbasket crawl', which finds their table",
    "database": "leave it out: a database is there as soon as a table is made in it",
    "schema": "leave it out: a database is there as soon as a table is made in it",
    "table": "use CREATE TABLE … AS SELECT …, with WITH NO DATA at its end for an empty table",
}
_DROP_INSTEAD = {
    "database": "leave it out: a database is gone with its last table",
    "schema": "leave it out: a database is gone with its last table",
}
_QUESTIONS = "SHOW TABLES, VIEWS, DATABASES, COLUMNS, PARTITIONS, CREATE TABLE, CREATE VIEW or TBLPROPERTIES"
_OTHERS = frozenset(
    {
        "attach", "begin", "checkpoint", "comment", "commit", "copy", "detach", "export", "force", "from", "get",
        "grant", "import", "install", "load", "pivot", "pragma", "put", "refresh", "reset", "revoke", "rollback",
        "set", "start", "summarize", "transaction", "truncate", "unpivot", "reindex", "cache", "uncache", "add", "list",
    }
)  # fmt: skip


def read(text: str) -> Statement:
    """Return what a text asks for.

    Raises QueryError with its place for one that cannot be read, NotBuiltError for a statement of Athena's that does
    not run here, with what to use instead.
    """
    try:
        return _read(text)
    except RecursionError as error:
        raise QueryError(TOO_DEEP) from error


def _read(text: str) -> Statement:
    tokens = dialect.tokenize(text)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    if not tokens:
        raise QueryError("the statement is empty.")
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise dialect.error_at(text, "one statement at a time, please: another one begins after ';'.", token.start)
    words = Words(text, tokens)
    first = tokens[0].text.lower() if tokens[0].token_type is not TokenType.IDENTIFIER else ""
    if first == "create":
        return _create(text, tokens)
    if first == "drop":
        return _drop(words)
    if first == "show":
        return _show(words)
    if first in ("describe", "desc"):
        words.take("describe") or words.take("desc")
        formatted = words.take("formatted") or words.take("extended")
        return words.last(Describe(words.name(), bool(formatted)))
    if first == "explain":
        return _explain(words)
    if first in ("insert", "delete", "update", "merge"):
        return _change(text, first)
    if first in _INSTEAD:
        raise NotBuiltError(f"{first.upper()} (instead: {_INSTEAD[first]})")
    if first in _OTHERS:
        raise dialect.error_at(
            text, f"{first.upper()} is no statement of Athena's: docs/sql.md lists those there are.", tokens[0].start
        )
    _refuse_file_names(text, tokens)
    return Select(text)


def _show(words: Words) -> Statement:
    words.take("show")
    for what in ("tables", "views"):
        if words.take(what):
            database = words.part() if words.take("in") or words.take("from") else None
            words.take("like")
            return words.last(ShowTables(database, words.text(), what == "views"))
    if words.take("databases") or words.take("schemas"):
        words.take("like")
        return words.last(ShowDatabases(words.text()))
    if words.take("columns"):
        if not (words.take("in") or words.take("from")):
            words.fail("SHOW COLUMNS needs IN and a table's name", words.next)
        table = words.name()
        if words.take("in") or words.take("from"):
            table = dialect.TableName(words.name().name, table.name, table.offset)
        return words.last(ShowTable("columns", table))
    if words.take("partitions"):
        return words.last(ShowTable("partitions", words.name()))
    for what in ("table", "view"):
        if words.take("create", what):
            return words.last(ShowTable(f"create {what}", words.name()))
    if words.take("tblproperties"):
        table, wanted = words.name(), None
        if words.take("("):
            wanted = words.text()
            if wanted is None or not words.take(")"):
                words.fail("a property is named as ('name')", words.next)
        return words.last(ShowTable("tblproperties", table, wanted))
    following = words.next
    raise NotBuiltError(f"SHOW {following.text.upper() if following else ''} (instead: {_QUESTIONS})")


def _drop(words: Words) -> Statement:
    words.take("drop")
    kind = words.next.text.lower() if words.next is not None else ""
    if kind not in ("table", "view"):
        raise NotBuiltError(f"DROP {kind.upper()} (instead: {_DROP_INSTEAD.get(kind, 'DROP TABLE or DROP VIEW')})")
    words.take(kind)
    if_exists = words.take("if", "exists")
    return words.last(Drop(words.name(), kind == "view", if_exists))


def _explain(words: Words) -> Statement:
    words.take("explain")
    analyze = words.take("analyze")
    words.take("verbose")
    if words.next is not None and words.next.text == "(" and len(words.rest) > 1:
        option = words.rest[1].text.lower()
        if option in ("type", "format"):
            raise NotBuiltError("EXPLAIN with options (instead: EXPLAIN SELECT … or EXPLAIN ANALYZE SELECT …)")
    rest = words.rest
    if not rest:
        words.fail("EXPLAIN needs a SELECT", None)
    if rest[0].text.lower() not in ("select", "with", "values", "("):
        words.fail("EXPLAIN takes a SELECT: explain the SELECT inside this statement", rest[0])
    return Explain(blank(words.source, rest[0].start, rest[-1].end + 1), analyze)


def _create(text: str, tokens: list[Token]) -> Statement:
    words = [token.text.lower() for token in tokens[:4]]
    replace = words[1:3] == ["or", "replace"]
    kind = words[3] if replace and len(words) > 3 else "".join(words[1:2])
    if kind == "view":
        return _create_view(text, tokens, replace)
    if kind == "table" and not replace and _first_as(tokens) is not None:
        return read_create_table(text, tokens, _first_as(tokens) or 0)
    instead = _CREATE_INSTEAD.get(kind, "CREATE TABLE … AS SELECT …, or CREATE VIEW … AS SELECT …")
    what = "CREATE OR REPLACE TABLE" if replace else f"CREATE {kind.upper()}"
    if replace and kind == "table":
        instead = "DROP TABLE, then CREATE TABLE … AS SELECT …"
    raise NotBuiltError(f"{what} (instead: {instead})")


def _create_view(text: str, tokens: list[Token], replace: bool) -> CreateView:
    words = Words(text, tokens)
    words.take("create")
    words.take("or", "replace")
    words.take("view")
    if words.take("if", "not", "exists"):
        words.fail("CREATE VIEW takes no IF NOT EXISTS: write CREATE OR REPLACE VIEW", words.next)
    table = words.name()
    if words.next is not None and words.next.text == "(":
        words.fail("a view's columns are named in its SELECT: write SELECT x AS name", words.next)
    if not words.take("as"):
        words.fail("CREATE VIEW needs AS and a SELECT after the view's name", words.next)
    if not words.rest:
        words.fail("CREATE VIEW … AS needs a SELECT after AS", None)
    start, end = words.rest[0].start, words.rest[-1].end + 1
    return CreateView(table, blank(text, start, end), text[start:end], replace)


def _first_as(tokens: list[Token]) -> int | None:
    """Return where the AS stands that is outside every parenthesis."""
    depth = 0
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.text.lower() == "as" and not is_quoted(token):
            return position
    return None


def _change(text: str, first: str) -> Statement:
    tokens = dialect.tokenize(text)
    _refuse_file_names(text, tokens)
    tree = dialect.parse(text)
    if isinstance(tree, exp.Insert):
        return _insert(text, tree)
    if isinstance(tree, exp.Delete | exp.Update | exp.Merge):
        target = tree.this
        extra = [part for part in ("using", "returning", "from_", "limit", "order", "with_") if tree.args.get(part)]
        if not isinstance(target, exp.Table) or (extra and not isinstance(tree, exp.Merge)):
            raise dialect.error_at(text, f"{first.upper()} takes one table and a WHERE: use MERGE for more.", 0)
        start = {"delete": "where", "update": "set", "merge": "using"}[first]
        begin = next((token.start for token in tokens if token.text.lower() == start), len(text))
        kept = list(blank(text, begin, len(text)))
        for token in tokens:
            # A word before a parenthesis is judged as a function; this one is none.
            if token.text.lower() == "insert" and not is_quoted(token):
                kept[token.start : token.end + 1] = " " * len(token.text)
        return Change(dialect.table_name(target), dialect.Statement("".join(kept), tree))
    raise dialect.error_at(text, f"this {first.upper()} cannot be read as SQL.", 0)


def _insert(text: str, tree: exp.Insert) -> Insert:
    target, columns = tree.this, None
    if isinstance(target, exp.Schema):
        columns = tuple(part.name.lower() for part in target.expressions)
        target = target.this
    if tree.args.get("overwrite"):
        raise NotBuiltError("INSERT OVERWRITE (instead: DELETE FROM, then INSERT INTO)")
    body = tree.expression
    if not isinstance(target, exp.Table) or not isinstance(body, exp.Query | exp.Values):
        raise dialect.error_at(text, "INSERT is written INSERT INTO table [(columns)] SELECT … or VALUES ….", 0)
    tokens = dialect.tokenize(text)
    depth, start = 0, len(text)
    for position, token in enumerate(tokens):
        opens = token.token_type is TokenType.L_PAREN
        following = tokens[position + 1].text.lower() if position + 1 < len(tokens) else ""
        begins = token.text.lower() in ("select", "values", "with", "table") and not is_quoted(token)
        if depth == 0 and (begins or (opens and following in ("select", "with", "values", "("))):
            start = token.start
            break
        depth += 1 if opens else -1 if token.token_type is TokenType.R_PAREN else 0
    return Insert(
        dialect.table_name(target), columns, dialect.Statement(blank(text, start, len(text)), tree.expression)
    )


def _refuse_file_names(text: str, tokens: list[Token]) -> None:
    for before, token in pairwise(tokens):
        if token.token_type is TokenType.STRING and before.text.lower() in ("from", "join", "into", "update", "using"):
            raise dialect.error_at(
                text,
                f"{token.text!r} is a text, not a table: land the file, run 'nextbasket crawl' and name its table.",
                token.start,
            )
