"""An engine's error in plain words: no functions and types of its own, no advice for settings that are locked here."""

import re

_TYPES = {
    "INT8": "tinyint",
    "INT16": "smallint",
    "INT32": "integer",
    "INT64": "bigint",
    "INT128": "bigint",
    "HUGEINT": "bigint",
    "FLOAT": "real",
    "INTEGER_LITERAL": "integer",
    "STRING_LITERAL": "varchar",
    "BLOB": "varbinary",
}


def reworded(text: str) -> tuple[str, str | None]:
    """Return DuckDB's error as one sentence, and the name at fault, if it names one that may stand in the statement."""
    csv = _csv(text)
    if csv is not None:
        return csv, None
    head = re.split(r"\n\s*\n", text, maxsplit=1)[0]
    head = re.sub(r"^[A-Za-z ]+ Error: ", "", head)
    message = " ".join(line.strip() for line in head.splitlines()).strip()
    for pattern, sentence in _SENTENCES:
        found = pattern.match(message)
        if found is not None:
            parts = found.groupdict()
            types = {"type": _type(parts.get("type", "")), "types": _types(parts.get("types", ""))}
            return sentence.format(**{**parts, **types}), parts.get("name")
    named = re.search(r'"([^"]+)"', message)
    return plain(message), named[1] if named else None


def plain(message: str) -> str:
    """Return a message as the middle of our own sentence: keywords stay as they are, it ends in a full stop."""
    first = message.split(maxsplit=1)[0] if message.split() else ""
    if not (len(first) > 1 and first.isupper()) and not re.match(r"[A-Z]+/", first):
        message = message[:1].lower() + message[1:]
    message = message.rstrip("!")
    return message if message.endswith((".", "?")) else message + "."


def _type(name: str) -> str:
    return _TYPES.get(name.upper(), name.lower())


def _types(arguments: str) -> str:
    return ", ".join(_type(part.strip()) for part in arguments.split(",")) if arguments else "nothing"


def _csv(text: str) -> str | None:
    line = re.search(r"CSV Error on Line: (\d+)", text)
    if line is None:
        return None
    file = re.search(r"^\s*file\s*=\s*(.+?)\s*$", text, flags=re.MULTILINE)
    where = f"line {line[1]} of {file[1]}" if file else f"line {line[1]} of the CSV file"
    value = re.search(r"Error when converting column \"(.+?)\"\. Could not convert string \"(.*?)\" to '(.+?)'", text)
    if value is not None:
        return f"{where} has {value[2]!r} in the column {value[1]}, no {_type(value[3])}: crawl the files again."
    count = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if count is not None:
        return (
            f"{where} has {count[2]} values and the table {count[1]} columns: correct it, or run 'nextbasket load', "
            "which keeps such lines apart."
        )
    return (
        f"{where} is no CSV, perhaps a quote that is never closed: correct it, or run 'nextbasket load', which "
        "keeps such lines apart."
    )


_SENTENCES = tuple(
    (re.compile(pattern, flags=re.DOTALL), sentence)
    for pattern, sentence in (
        (
            r'Referenced column "(?P<name>[^"]+)" (?:was )?not found in FROM clause! Candidate bindings: (?P<known>.*)',
            "there is no column {name} in the tables read; columns like it: {known}.",
        ),
        (
            r'Referenced column "(?P<name>[^"]+)" (?:was )?not found in FROM clause!',
            "there is no column {name} in the tables read.",
        ),
        (
            r'[Cc]olumn "(?P<name>[^"]+)" must appear in the GROUP BY',
            "column {name} is neither in GROUP BY nor inside an aggregate: add it, or take its min().",
        ),
        (
            r"No function matches the given name and argument types '(?P<call>[^(]+)\((?P<types>[^']*)\)'",
            "{call} does not take {types}: CAST the values to the types it takes.",
        ),
        (
            r"""Could not convert string ['"]+(?P<text>.*?)['"]+ to '?(?P<type>\w+)""",
            "the text '{text}' is no {type}: use TRY_CAST to get NULL instead.",
        ),
        (
            r'[Vv]alues list "(?P<table>[^"]+)" does not have a column named "(?P<name>[^"]+)"',
            "{table} has no column {name}.",
        ),
        (
            r'Referenced table "(?P<name>[^"]+)" not found! Candidate tables: (?P<known>.*)',
            "there is no {name} in FROM; there is {known}.",
        ),
        (
            r'Ambiguous reference to column name "(?P<name>[^"]+)" \(use: (?P<known>.*)\)',
            "column {name} is in several tables: write {known}.",
        ),
        (r"Overflow in \w+ of (?P<type>\w+) \((?P<terms>.*)\)", "{terms} is out of range for {type}."),
        (
            r"Type \w+ with value (?P<value>\S+) can't be cast because the value is out of range for the destination "
            r"type (?P<type>\w+)",
            "the value {value} is out of range for {type}.",
        ),
        (
            r"More than one row returned by a subquery",
            "a subquery that stands for one value gives several rows: add LIMIT 1 or an aggregate.",
        ),
        (
            r'[Tt]able "(?P<name>[^"]+)" has (?P<has>\d+) columns available but (?P<given>\d+) columns specified',
            "{name} has {has} columns and {given} names for them.",
        ),
        (r"Max expression depth limit", "an expression has too many parts: cut it into several columns of a WITH."),
        (r"SELECT clause without selection list", "SELECT needs a list of columns, or *."),
    )
)
