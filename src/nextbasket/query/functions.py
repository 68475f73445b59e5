"""The functions of the portable dialect, and what to use instead of those it refuses."""

import difflib
from collections.abc import Collection

from nextbasket.query.functions_aggregates import AGGREGATES, WINDOWS
from nextbasket.query.functions_nested import ARRAYS, MAPS
from nextbasket.query.functions_text import TEXT
from nextbasket.query.functions_values import CONDITIONS, DATES, NUMBERS
from nextbasket.query.signature import SAME, Form

GROUPS: dict[str, tuple[Form, ...]] = {
    "Aggregates": AGGREGATES,
    "Windows": WINDOWS,
    "Conditions and conversions": CONDITIONS,
    "Numbers": NUMBERS,
    "Text, patterns, bytes, addresses and JSON": TEXT,
    "Dates and times": DATES,
    "Arrays": ARRAYS,
    "Maps and rows": MAPS,
}
"""Every way to call a portable function, under the heading it has in the docs."""


def _by_name() -> dict[str, tuple[Form, ...]]:
    found: dict[str, tuple[Form, ...]] = {}
    for forms in GROUPS.values():
        for form in forms:
            found[form.name] = (*found.get(form.name, ()), form)
    return found


FORMS: dict[str, tuple[Form, ...]] = _by_name()
"""The ways to call a function, by its name."""

PORTABLE: frozenset[str] = frozenset(FORMS)
"""Function names, each tested to give Athena's result on every engine (tests/conformance/corpus)."""

OWN: frozenset[str] = frozenset(
    name for name, forms in FORMS.items() if any(form.duckdb != SAME or form.spark != SAME for form in forms)
) | {"cardinality", "date_format", "date_parse", "element_at", "map_filter", "reduce", "reverse", "sequence", "sign",
     "to_iso8601"}  # fmt: skip
"""Functions that the parser must leave as written, since this project translates them itself."""

REFUSED: dict[str, str] = {
    "at_timezone": "times are in UTC and have no zone: use date_add()",
    "checksum": "compare tables by count(), sum(), min() and max()",
    "combinations": "use CROSS JOIN UNNEST",
    "concat_agg": "use listagg()",
    "crc32": "use md5(), sha1() or sha256()",
    "current_date": "give the day as a parameter (?)",
    "current_timestamp": "give the time as a parameter (?)",
    "date_sub": "use date_add() with a negative number",
    "datediff": "use date_diff('day', from, to)",
    "day_name": "use date_format(x, '%W')",
    "element_at_or_null": "use element_at()",
    "format": "use concat() and date_format()",
    "format_datetime": "use date_format()",
    "from_iso8601_date": "use CAST(x AS date)",
    "from_iso8601_timestamp": "use CAST(x AS timestamp)",
    "from_unixtime": "use date_add('second', x, CAST('1970-01-01 00:00:00' AS timestamp))",
    "histogram": "use GROUP BY and map_agg()",
    "json_extract": "use json_extract_scalar(), or read the file as a json table",
    "json_format": "keep JSON as text, and read it by json_extract_scalar()",
    "json_parse": "keep JSON as text, and read it by json_extract_scalar()",
    "json_query": "use json_extract_scalar()",
    "json_value": "use json_extract_scalar()",
    "levenshtein_distance": "engines count bytes or characters; compare in a recipe",
    "localtime": "give the time as a parameter (?)",
    "localtimestamp": "give the time as a parameter (?)",
    "median": "use approx_percentile(x, 0.5)",
    "multimap_agg": "use array_agg() and map_agg()",
    "ngrams": "use transform() over sequence()",
    "normalize": "engines differ in Unicode's versions; normalise before loading",
    "now": "give the time as a parameter (?)",
    "nvl": "use coalesce()",
    "parse_datetime": "use date_parse()",
    "rand": "it differs at each run; use a column to choose rows",
    "random": "it differs at each run; use a column to choose rows",
    "set_agg": "use array_agg(DISTINCT x ORDER BY x)",
    "sha512": "use sha256()",
    "shuffle": "it differs at each run; use array_sort()",
    "soundex": "it is for English names only; use lower() and regexp_like()",
    "split_to_map": "use split() and transform()",
    "string_agg": "use listagg(x, ',') WITHIN GROUP (ORDER BY x)",
    "to_char": "use date_format()",
    "to_date": "use CAST(x AS date), or date_parse()",
    "to_timestamp": "use CAST(x AS timestamp), or date_parse()",
    "transform_values": "use map() over map_keys() and transform()",
    "typeof": "engines name types differently; use nextbasket tables",
    "uuid": "it differs at each run; use row_number()",
    "with_timezone": "times are in UTC and have no zone: leave it out",
    "zip": "use UNNEST(a, b)",
    "zip_with": "use UNNEST(a, b)",
}
"""Functions that engines do not agree on or that Athena does not have, and what to use instead."""


def unknown(name: str, registered: Collection[str]) -> str:
    """Return the sentence that refuses a function which is not portable; it names the nearest there is."""
    if name in REFUSED:
        return f"{name}() is not in the portable dialect: {REFUSED[name]}."
    near = difflib.get_close_matches(name, [*PORTABLE, *registered], n=1)
    hint = f"did you mean {near[0]}()?" if near else "docs/sql-functions.md lists the functions there are."
    return f"there is no function {name}() in the portable dialect: {hint}"


def arguments_fault(name: str, count: int) -> str | None:
    """Return the sentence that refuses a number of arguments, or None where a form takes it."""
    forms = FORMS.get(name)
    if forms is None or any(form.takes(count) for form in forms):
        return None
    ways = " or ".join(form.signature for form in forms)
    return f"{name}() is called as {ways}, not with {count} argument{'' if count == 1 else 's'}."
