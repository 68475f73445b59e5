"""Write docs/sql-functions.md: ``python -m nextbasket.query.functions_page > docs/sql-functions.md``."""

import sys

from nextbasket.query.functions import GROUPS, REFUSED

_HEAD = """# SQL functions

<!-- written by `python -m nextbasket.query.functions_page > docs/sql-functions.md` -->

The functions of the portable dialect ([sql.md](sql.md)). Each gives Athena's answer on every engine: where an engine's
own function differs, the statement is rewritten. `tests/conformance/corpus/` holds a statement for each of them, with
the rows written by hand after Trino's documentation, and `tests/conformance/test_corpus.py` runs all on DuckDB and
Spark. A function that is not here is refused by name, with what to use instead.
"""


def page() -> str:
    """Return the page's text."""
    lines = [_HEAD]
    for title, forms in GROUPS.items():
        lines += [f"## {title}", "", "| function | |", "|---|---|"]
        lines += [f"| `{form.signature.replace('|', chr(92) + '|')}` | {form.note} |" for form in forms]
        lines.append("")
    lines += ["## Refused functions", "", "| function | use instead |", "|---|---|"]
    lines += [f"| `{name}` | {hint} |" for name, hint in sorted(REFUSED.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
