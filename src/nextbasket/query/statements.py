"""Which statement a text is: a SELECT, CREATE TABLE AS, SHOW, DESCRIBE, or one that Athena knows and this does not."""

from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from nextbasket.errors import NotBuiltError, QueryError
from nextbasket.query import dialect


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """``CREATE TABLE name WITH (…) AS SELECT …``; ``select`` keeps every character at its place in the whole text."""

    table: dialect.TableName
    select: str
    external_location: str | None = None
    partitioned_by: tuple[str, ...] = ()
    if_not_exists: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class ShowTables:
    """``SHOW TABLES [IN database] ['pattern']``."""

    database: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class ShowDatabases:
    """``SHOW DATABASES`` (or ``SCHEMAS``)."""


@dataclass(frozen=True, slots=True)
class Describe:
    """``DESCRIBE table``."""

    table: dialect.TableName = field()


Statement: TypeAlias = Select | CreateTableAs | ShowTables | ShowDatabases | Describe

_ATHENA_KNOWS = frozenset(
    [
        "alter",
        "analyze",
        "call",
        "create",
        "deallocate",
        "delete",
        "drop",
        "execute",
        "explain",
        "insert",
        "merge",
        "msck",
        "optimize",
        "prepare",
        "show",
        "unload",
        "update",
        "use",
        "vacuum",
    ]
)
_LAYOUT_PROPERTIES = frozenset({"write_compression", "parquet_compression", "is_external"})
_UNBUILT_PROPERTIES = frozenset(
    {"bucketed_by", "bucket_count", "table_type", "partitioning", "location", "field_delimiter", "orc_compression"}
)


def read(text: str) -> Statement:
    """Return what a text asks for.

    Raises QueryError with its place for one that cannot be read, NotBuiltError for a statement of Athena's that does
    not run here yet.
    """
    tokens = dialect.tokenize(text)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    if not tokens:
        raise QueryError("the statement is empty.")
    words = [token.text.lower() for token in tokens]
    first = words[0]
    if first == "create" and "table" in words[1:2]:
        return _create_table(text, tokens)
    if first == "show" and words[1:2] == ["tables"]:
        return _show_tables(text, tokens)
    if words in (["show", "databases"], ["show", "schemas"]):
        return ShowDatabases()
    if first in ("describe", "desc"):
        if len(tokens) not in (2, 4):
            raise NotBuiltError("DESCRIBE of anything but a table's name")
        return Describe(_name(text, tokens[1:]))
    if first in _ATHENA_KNOWS:
        raise NotBuiltError(
            " ".join(words[:2]).upper() if first in ("create", "show", "alter", "drop") else first.upper()
        )
    return Select(text)


def _show_tables(text: str, tokens: list[Token]) -> ShowTables:
    rest = tokens[2:]
    database = pattern = None
    if len(rest) >= 2 and rest[0].text.lower() in ("in", "from"):
        database = rest[1].text.lower()
        rest = rest[2:]
    if rest and rest[0].text.lower() == "like":
        rest = rest[1:]
    if rest and rest[0].token_type is TokenType.STRING:
        pattern = rest[0].text
        rest = rest[1:]
    if rest:
        raise dialect.error_at(
            text, f"SHOW TABLES [IN database] ['pattern'] ends before {rest[0].text!r}.", rest[0].start
        )
    return ShowTables(database, pattern)


def _name(text: str, tokens: list[Token]) -> dialect.TableName:
    parts = [token.text.lower() for token in tokens if token.token_type is not TokenType.DOT]
    if len(parts) == 2:
        return dialect.TableName(parts[0], parts[1], tokens[0].start)
    if len(parts) == 1:
        return dialect.TableName(None, parts[0], tokens[0].start)
    raise dialect.error_at(text, "a table's name is written table or database.table.", tokens[0].start)


def _create_table(text: str, tokens: list[Token]) -> Statement:
    split = _first_as(tokens)
    if split is None:
        raise NotBuiltError("CREATE TABLE without AS SELECT")
    token, body = tokens[split], tokens[split + 1 :]
    with_data = True
    ending = [token.text.lower() for token in body[-3:]]
    if ending == ["with", "no", "data"]:
        with_data, body = False, body[:-3]
    elif ending[1:] == ["with", "data"]:
        body = body[:-2]
    if not body:
        raise dialect.error_at(text, "CREATE TABLE … AS needs a SELECT after AS.", token.start)
    created = dialect.parse(text[: token.start] + "AS SELECT 1")
    if not isinstance(created, exp.Create) or not isinstance(created.this, exp.Table):
        raise dialect.error_at(text, "CREATE TABLE … AS cannot be read.", 0)
    properties = created.args.get("properties")
    location: str | None = None
    partitioned_by: tuple[str, ...] = ()
    for item in properties.expressions if properties is not None else []:
        location, partitioned_by = _property(text, item, location, partitioned_by)
    return CreateTableAs(
        table=dialect.table_name(created.this),
        select=_blank(text, body[0].start, body[-1].end + 1),
        external_location=location,
        partitioned_by=partitioned_by,
        if_not_exists=bool(created.args.get("exists")),
        with_data=with_data,
    )


def _first_as(tokens: list[Token]) -> int | None:
    """Return where the AS stands that is outside every parenthesis."""
    depth = 0
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.text.lower() == "as" and token.token_type is not TokenType.IDENTIFIER:
            return position
    return None


def _property(
    text: str, item: exp.Expr, location: str | None, partitioned_by: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    if isinstance(item, exp.FileFormatProperty):
        if item.this.name.lower() != "parquet":
            raise NotBuiltError(f"CREATE TABLE AS in the format {item.this.name.upper()}")
        return location, partitioned_by
    if isinstance(item, exp.PartitionedByProperty):
        return location, tuple(part.name.lower() for part in item.this.expressions)
    name = item.name.lower()
    if name == "external_location":
        return str(item.args["value"].name), partitioned_by
    if name == "partitioned_by":
        return location, tuple(part.name.lower() for part in item.args["value"].expressions)
    if name in _LAYOUT_PROPERTIES:
        return location, partitioned_by
    if name in _UNBUILT_PROPERTIES or isinstance(item, exp.LocationProperty):
        raise NotBuiltError(f"CREATE TABLE AS with the property {name or 'location'}")
    offset = dialect.identifier_offset(text, name) if name else None
    raise dialect.error_at(
        text,
        f"CREATE TABLE AS knows no property {name or item.key!r}: use external_location, format, partitioned_by.",
        offset,
    )


def _blank(text: str, start: int, end: int) -> str:
    """Return the text with everything outside [start, end) made blank, so that places in it stay what they are."""
    kept = [character if character == "\n" else " " for character in text]
    kept[start:end] = text[start:end]
    return "".join(kept)
