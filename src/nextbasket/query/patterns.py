"""What of regular expressions every engine reads alike, and how a replacement names its groups."""

import re

_LOOKS = re.compile(r"\(\?(?:[=!>]|<[=!])")
_FLAGS = re.compile(r"\(\?([a-zA-Z-]+)[:)]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SAFE_ESCAPES = frozenset("dDwWsSbBtnrf") | frozenset(r"\.[]{}()*+?^$|/-'\"#&,:;<>=!@%~` _")


def fault(pattern: str) -> str | None:
    """Return why a pattern is not read alike by every engine, or None."""
    if found := _LOOKS.search(pattern):
        return f"{found[0]} in a pattern works in Athena and Spark only: write it without looking ahead or behind."
    for flags in _FLAGS.findall(pattern):
        if set(flags) - set("ims-"):
            return f"(?{flags}) in a pattern is not read alike by every engine: use i, m and s only."
    for letter in _ESCAPE.findall(pattern):
        if letter.isdigit():
            return f"\\{letter} in a pattern refers back to a group, which DuckDB cannot: write it without."
        if letter in "pP":
            continue
        if letter not in _SAFE_ESCAPES:
            return f"\\{letter} in a pattern is not read alike by every engine: write the characters in [ ]."
    bare = _bare(pattern)
    if re.search(r"[*+?}]\+", bare):
        return "a possessive quantifier (such as *+) works in Athena and Spark only: write it without the last +."
    if "&&" in bare:
        return "&& in a pattern's [ ] works in Athena and Spark only: list the characters."
    return None


def optional_group(pattern: str, group: int) -> bool:
    """Say whether a match may leave a group out: engines give '' for it, Athena NULL."""
    bare = _bare(pattern)
    capturing = [start for start, letter in enumerate(bare) if letter == "(" and bare[start + 1 : start + 2] != "?"]
    if not 1 <= group <= len(capturing):
        return False
    start = capturing[group - 1]
    end = next((closing for opening, closing in _pairs(bare) if opening == start), len(bare))
    return _alternatives_around(bare, start) or _quantified_around(bare, start, end)


def _bare(pattern: str) -> str:
    """Return the pattern with escaped characters and what stands in [ ] replaced by x, each at its place."""
    result = []
    position = 0
    inside = False
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\":
            result.append("xx")
            position += 2
            continue
        if inside:
            result.append(letter if letter == "&" else "x")
            inside = letter != "]"
        elif letter == "[":
            result.append("x")
            inside = True
            if pattern[position + 1 : position + 2] in ("]", "^"):
                result.append("x")
                position += 1
        else:
            result.append(letter)
        position += 1
    return "".join(result)[: len(pattern)]


def _pairs(bare: str) -> list[tuple[int, int]]:
    stack: list[int] = []
    pairs = [(-1, len(bare))]
    for position, letter in enumerate(bare):
        if letter == "(":
            stack.append(position)
        elif letter == ")" and stack:
            pairs.append((stack.pop(), position))
    return pairs


def _alternatives_around(bare: str, start: int) -> bool:
    around = [(a, b) for a, b in _pairs(bare) if a < start < b]
    for opening, closing in around:
        depth = 0
        for position in range(opening + 1, closing):
            depth += (bare[position] == "(") - (bare[position] == ")")
            if bare[position] == "|" and depth == 0:
                return True
    return False


def _quantified_around(bare: str, start: int, end: int) -> bool:
    closings = [b for a, b in _pairs(bare) if a <= start and b >= end and b < len(bare)]
    return any(bare[b + 1 : b + 2] in ("?", "*") or bare[b + 1 : b + 3] == "{0" for b in closings)


def replacement_fault(text: str) -> str | None:
    """Return why a replacement is not read alike by every engine, or None."""
    for letter in _ESCAPE.findall(text):
        if letter not in "\\$":
            return f"\\{letter} in a replacement means nothing: write \\\\ for a backslash."
    plain = _ESCAPE.sub("", text)
    if re.search(r"\$(?![0-9])", plain) or re.search(r"\$[0-9]{2}", plain) or plain.endswith("\\"):
        return "a replacement names groups as $1 to $9: write \\$ for the sign itself."
    return None


def replacement_to_duckdb(text: str) -> str:
    r"""Return a replacement with its groups as ``\1``."""
    found = []
    position = 0
    while position < len(text):
        letter = text[position]
        following = text[position + 1 : position + 2]
        if letter == "\\":
            found.append("\\\\" if following == "\\" else following)
            position += 2
        elif letter == "$":
            found.append("\\" + following)
            position += 2
        else:
            found.append(letter)
            position += 1
    return "".join(found)
