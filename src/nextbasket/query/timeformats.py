"""Athena's formats of dates (``%Y-%m-%d``, as in MySQL) in each engine's words."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class _Code:
    duckdb: str
    spark: str
    spark_read: str
    read: bool = True


_CODES: dict[str, _Code] = {
    "Y": _Code("%Y", "yyyy", "yyyy"),
    "y": _Code("%y", "yy", "yy", read=False),
    "m": _Code("%m", "MM", "M"),
    "c": _Code("%-m", "M", "M"),
    "d": _Code("%d", "dd", "d"),
    "e": _Code("%-d", "d", "d"),
    "H": _Code("%H", "HH", "H"),
    "k": _Code("%-H", "H", "H"),
    "h": _Code("%I", "hh", "h"),
    "I": _Code("%I", "hh", "h"),
    "l": _Code("%-I", "h", "h"),
    "i": _Code("%M", "mm", "m"),
    "s": _Code("%S", "ss", "s"),
    "S": _Code("%S", "ss", "s"),
    "p": _Code("%p", "a", "a"),
    "M": _Code("%B", "MMMM", "MMMM"),
    "b": _Code("%b", "MMM", "MMM"),
    "W": _Code("%A", "EEEE", "EEEE", read=False),
    "a": _Code("%a", "EEE", "EEE", read=False),
    "j": _Code("%j", "DDD", "DDD", read=False),
    "T": _Code("%H:%M:%S", "HH:mm:ss", "H:m:s"),
}


def fault(text: str, *, reading: bool) -> str | None:
    """Return why a format cannot be used on every engine, or None."""
    parts = _parts(text)
    for code, _ in parts:
        if code is None:
            continue
        known = _CODES.get(code)
        if known is None or (reading and not known.read):
            allowed = " ".join(f"%{name}" for name, item in _CODES.items() if item.read or not reading)
            return f"%{code} in a date's format is not read alike by every engine: use {allowed}."
    if reading:
        for (code, _), (following, _) in pairwise(parts):
            if code is not None and following is not None and code not in "Y" and {code, following} & set("cekl"):
                return f"%{code}%{following} in a date's format needs something between them."
    return None


def to_duckdb(text: str) -> str:
    """Return a format for strftime and strptime."""
    return "".join(_CODES[code].duckdb if code else word.replace("%", "%%") for code, word in _parts(text))


def to_spark(text: str, *, reading: bool) -> str:
    """Return a format for to_timestamp (``reading``) or date_format."""
    parts = _parts(text)
    found = []
    for position, (code, word) in enumerate(parts):
        if code is None:
            found.append(
                "'" + word.replace("'", "''") + "'" if any(c.isalpha() or c in "'[]{}#" for c in word) else word
            )
            continue
        beside = {parts[at][0] for at in (position - 1, position + 1) if 0 <= at < len(parts)} - {None}
        # One digit is read where two are usual, but not where the next number follows at once.
        found.append(_CODES[code].spark_read if reading and not beside else _CODES[code].spark)
    return "".join(found)


def _parts(text: str) -> list[tuple[str | None, str]]:
    """Return (code, '') and (None, words between codes) in their order; ``%%`` and ``%x`` of no code stand for x."""
    parts: list[tuple[str | None, str]] = []
    position = 0
    word = ""
    while position < len(text):
        if text[position] == "%" and position + 1 < len(text):
            code = text[position + 1]
            position += 2
            if code == "%":
                word += "%"
                continue
            if word:
                parts.append((None, word))
                word = ""
            parts.append((code, ""))
            continue
        word += text[position]
        position += 1
    if word:
        parts.append((None, word))
    return parts
