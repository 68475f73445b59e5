"""What the texts of a column mean: numbers and dates in the notations people write, and how they become typed values.

A type is given only where every value looked at has it; what could mean two things stays text until something in the
file decides. Docs: docs/files.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nextbasket.catalog.types import to_arrow

NULL_WORDS = ("null", "na", "n/a", "#n/a", "nan", "none", r"\n", "-")
"""What stands for no value in a column of numbers, dates or truth values, in any letter case; in texts it is kept."""

_SPACES = " \u00a0\u202f"
_SPACE_CLASS = f"[{_SPACES}]"
_INTEGER = re.compile(r"(0|-?[1-9]\d{0,17})", re.ASCII)
_LEADING_ZERO = re.compile(r"-?0\d+", re.ASCII)
_LONG = re.compile(r"[+-]?\d{19,}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TIME = r"[ T](\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?(?: ?([AaPp][Mm]))?"
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})?)?)?", re.ASCII
)
_OTHER = re.compile(
    rf"(?:(\d{{4}})/(\d{{1,2}})/(\d{{1,2}})|(\d{{1,2}})([/.-])(\d{{1,2}})\5(\d{{4}}))(?:{_TIME})?", re.ASCII
)


_TWO_DAYS = re.compile(r"\d{1,2}[/-]\d{1,2}[/-]\d{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Notation:
    """How the values of a column are written.

    ``decimal`` is the decimal mark, ``grouping`` the mark between thousands (``" "`` for any space, ``""`` for none).
    ``order`` says what ``3/4/2026`` means: ``mdy``, ``dmy``, ``?`` where no value tells, ``""`` where none is so
    written. ``odd``: there are null words, zones or dates like ``31.1.2026``, which engines' readers do not take.
    """

    decimal: str = "."
    grouping: str = ""
    order: str = ""
    odd: bool = False


PLAIN = Notation()
"""Numbers with a point and without groups, dates as ISO has them."""

_GROUPINGS = tuple(
    Notation(decimal, grouping) for grouping in (",", ".", " ", "'") for decimal in ".," if decimal != grouping
)
_GROUPED_BY_POINTS = Notation(",", ".")
_NOTATIONS = (*_GROUPINGS, Notation(","))


def judge(columns: Sequence[Sequence[str]], delimiter: str = ",") -> tuple[tuple[str, ...], tuple[Notation, ...]]:
    """Return each column's type and notation from its values; the type ``""`` means that the values do not tell.

    What one column shows (a decimal comma, the month first) decides for those columns of the file that do not tell.
    """
    stripped = [[value for value in map(str.strip, values) if value] for values in columns]
    verdicts = [_verdict([value for value in values if value.lower() not in NULL_WORDS]) for values in stripped]
    marks = {verdict.decimal for verdict in verdicts if verdict.decimal}
    orders = {verdict.order for verdict in verdicts if verdict.order in ("mdy", "dmy")}
    decimal = marks.pop() if len(marks) == 1 else "," if delimiter == ";" and not marks else ""
    order = orders.pop() if len(orders) == 1 else "?"
    settled = [_settled(verdict, decimal, order) for verdict in verdicts]
    odd = [
        kind not in ("", "string")
        and any(
            value.lower() in NULL_WORDS or (kind in ("date", "timestamp") and not _is_iso(value)) for value in values
        )
        for (kind, _), values in zip(settled, stripped, strict=True)
    ]
    notations = [
        replace(notation, odd=one) if one else notation for (_, notation), one in zip(settled, odd, strict=True)
    ]
    return tuple(kind for kind, _ in settled), tuple(notations)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a column's values allow. ``decimal`` and ``order`` are set where they prove one for the whole file."""

    kind: str
    notations: tuple[Notation, ...] = (PLAIN,)
    decimal: str = ""
    order: str = ""
    whole: tuple[Notation, ...] = ()


def _is_iso(value: str) -> bool:
    found = _ISO.fullmatch(value)
    return found is not None and found[4] is None


def _verdict(values: Sequence[str]) -> _Verdict:
    if not values:
        return _Verdict("")
    if all(_INTEGER.fullmatch(value) for value in values):
        return _Verdict("bigint")
    if any(_LEADING_ZERO.fullmatch(value) or _LONG.fullmatch(value) for value in values):
        return _Verdict("string")
    if all(value.lower() in ("true", "false") for value in values):
        return _Verdict("boolean")
    if values[0][0].isdigit() or values[0][0] in "+-.":
        return _number(values) or _time(values) or _Verdict("string")
    return _Verdict("string")


def _number(values: Sequence[str]) -> _Verdict | None:
    if all(_NUMBER.fullmatch(value) for value in values):
        # 1.234 is a plain number, unless the file writes its fractions with a comma.
        grouped = _GROUPED_BY_POINTS
        pattern = _pattern(grouped)
        whole = (grouped,) if all((found := pattern.fullmatch(value)) and _is_whole(found) for value in values) else ()
        points = any("." in value for value in values)
        return _Verdict("double", (PLAIN, *whole), "." if points and not whole else "", whole=whole)
    possible = []
    all_whole = []
    for notation in _NOTATIONS:
        pattern = _pattern(notation)
        found_all = []
        for value in values:
            found = pattern.fullmatch(value)
            if found is None:
                break
            found_all.append(found)
        else:
            possible.append(notation)
            if all(map(_is_whole, found_all)):
                all_whole.append(notation)
    if not possible:
        return None
    decimals = {notation.decimal for notation in possible if notation not in all_whole}
    marked = {notation.decimal for notation in possible}
    decimal = marked.pop() if len(marked) == 1 and decimals else ""
    return _Verdict("number", tuple(possible), decimal, whole=tuple(all_whole))


def _is_whole(found: "re.Match[str]") -> bool:
    return not (found["fraction"] or found["exponent"])


@cache
def _pattern(notation: Notation) -> "re.Pattern[str]":
    decimal = re.escape(notation.decimal)
    mark = _SPACE_CLASS if notation.grouping == " " else re.escape(notation.grouping)
    grouped = rf"|\d{{1,3}}(?:{mark}\d{{3}})+" if notation.grouping else ""
    return re.compile(rf"[+-]?(?:\d+{grouped})(?P<fraction>{decimal}\d+)?(?P<exponent>[eE][+-]?\d+)?", re.ASCII)


def _time(values: Sequence[str]) -> _Verdict | None:
    orders: set[str] = set()
    timed = False
    for value in values:
        iso = _ISO.fullmatch(value)
        if iso:
            if not _is_day(int(iso[1]), int(iso[2]), int(iso[3])):
                return None
            timed = timed or len(value) > 10
            continue
        other = _OTHER.fullmatch(value)
        if other is None:
            return None
        timed = timed or other[8] is not None
        if other[1]:
            if not _is_day(int(other[1]), int(other[2]), int(other[3])):
                return None
            orders.add("")
            continue
        first, second, year = int(other[4]), int(other[6]), int(other[7])
        month_first, day_first = _is_day(year, first, second), _is_day(year, second, first)
        if other[5] == ".":
            month_first = False
        if not month_first and not day_first:
            return None
        if other[5] == ".":
            continue
        orders.add("?" if month_first and day_first else "mdy" if month_first else "dmy")
    proven = orders & {"mdy", "dmy"}
    if len(proven) == 2:
        return None
    order = proven.pop() if proven else "?" if "?" in orders else ""
    return _Verdict("timestamp" if timed else "date", (PLAIN,), order=order)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _settled(verdict: _Verdict, decimal: str, order: str) -> tuple[str, Notation]:
    if verdict.kind in ("date", "timestamp"):
        found = order if verdict.order == "?" else verdict.order
        # Without any day beyond the twelfth nobody can tell 3/4 from 4/3: another file of the table may.
        return "" if found == "?" else verdict.kind, replace(PLAIN, order=found)
    if verdict.kind == "double":
        for notation in verdict.notations[1:]:
            if decimal == "," and notation.decimal == "," and notation.grouping == ".":
                return "bigint", notation
        return "double", PLAIN
    if verdict.kind != "number":
        return verdict.kind, PLAIN
    agreeing = [notation for notation in verdict.notations if notation.decimal == decimal] or verdict.notations
    notation = agreeing[0]
    return "bigint" if notation in verdict.whole else "double", notation


# --- from texts to values ------------------------------------------------------------------------------------------


class UnreadableValueError(ValueError):
    """A text is no value of its column's type: ``index`` counts the column's values from 0, ``why`` says more."""

    def __init__(self, index: int, value: str, why: str) -> None:
        super().__init__(index, value, why)
        self.index = index
        self.value = value
        self.why = why


def typed(texts: Any, kind: str, notation: Notation = PLAIN) -> Any:
    """Return an Arrow column of texts as values of an Athena type; raises UnreadableValueError for the first bad one.

    Empty texts are null, and for all types but ``string`` so are the null words; nothing is rounded or guessed.
    """
    wanted = to_arrow(kind)
    if pa.types.is_string(wanted):
        return texts
    trimmed = pc.utf8_trim_whitespace(texts)
    silent = pc.or_(
        pc.equal(trimmed, pa.scalar("")), pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(NULL_WORDS, pa.string()))
    )
    said = pc.if_else(silent, pa.scalar(None, pa.string()), trimmed)
    try:
        return _converted(said, wanted, notation)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        index = _first_bad(said, wanted, notation)
        unclear = _TWO_DAYS.match(said[index].as_py()) and notation.order == "?" and kind in ("date", "timestamp")
        why = ": no file tells whether the month or the day comes first" if unclear else ""
        raise UnreadableValueError(index, texts[index].as_py(), why) from None


def _first_bad(texts: Any, wanted: pa.DataType, notation: Notation) -> int:
    start, length = 0, len(texts)
    while length > 1:
        half = length // 2
        try:
            _converted(texts.slice(start, half), wanted, notation)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            length = half
        else:
            start, length = start + half, length - half
    return start


def _converted(texts: Any, wanted: pa.DataType, notation: Notation) -> Any:
    if pa.types.is_boolean(wanted):
        return _refusing(pc.utf8_lower(texts), "^(true|false)$").cast(pa.bool_())
    if pa.types.is_date(wanted):
        times = _times(texts, notation)
        return _exactly(times, times.cast(pa.date32()).cast(times.type)).cast(pa.date32())
    if pa.types.is_timestamp(wanted):
        return _times(texts, notation)
    plain = _plain_numbers(texts, notation)
    if pa.types.is_integer(wanted):
        return _refusing(plain, r"^(0|-?[1-9][0-9]*)$").cast(wanted)
    if pa.types.is_floating(wanted) or pa.types.is_decimal(wanted):
        return _refusing(plain, r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$").cast(wanted)
    raise pa.ArrowInvalid(f"no text is a {wanted}")


def _refusing(texts: Any, pattern: str) -> Any:
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
        raise pa.ArrowInvalid("a value is not of the type")
    return texts


def _exactly(values: Any, expected: Any) -> Any:
    if pc.all(pc.equal(values, expected)).as_py() is False:
        raise pa.ArrowInvalid("a day has a time")
    return values


def _plain_numbers(texts: Any, notation: Notation) -> Any:
    if notation.grouping:
        _refusing(texts, "^(?:" + _pattern(notation).pattern.replace(r"\d", "[0-9]") + ")$")
        mark = _SPACE_CLASS if notation.grouping == " " else re.escape(notation.grouping)
        texts = pc.replace_substring_regex(texts, mark, "")
    if notation.decimal != ".":
        # What has a point now would become another number.
        _refusing(texts, "^[^.]*$")
        texts = pc.replace_substring(texts, notation.decimal, ".")
    return texts


def _times(texts: Any, notation: Notation) -> Any:
    """Return timestamps; zones are taken off to UTC, other notations than ISO's are written as ISO first."""
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    iso = pc.match_substring_regex(texts, r"^\d{4}-\d{2}-\d{2}")
    zoned = pc.and_(iso, pc.match_substring_regex(texts, r":\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$"))
    nothing = pa.scalar(None, pa.string())
    with_zone = pc.if_else(zoned, texts, nothing).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    without = pc.if_else(pc.and_(iso, pc.invert(zoned)), texts, nothing).cast(pa.timestamp("us"))
    other = _written_as_iso(pc.if_else(iso, nothing, texts), notation.order).cast(pa.timestamp("us"))
    return pc.coalesce(with_zone, without, other)


_OTHER_TIME = (
    r"^(?:(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})|(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})[/.-](?P<c>\d{4}))"
    r"(?:[ T](?P<h>\d{1,2}):(?P<n>\d{2})(?P<r>:\d{2}(?:\.\d{1,6})?)?(?: ?(?P<p>[AaPp][Mm]))?)?$"
)


def _written_as_iso(texts: Any, order: str) -> Any:
    if texts.null_count == len(texts):
        return texts
    parts = pc.extract_regex(texts, _OTHER_TIME)
    if parts.null_count != texts.null_count:
        raise pa.ArrowInvalid("a value is no date")

    def part(name: str) -> Any:
        return pc.struct_field(parts, name)

    year_first = pc.not_equal(part("y"), pa.scalar(""))
    slashed = pc.and_(pc.invert(year_first), pc.not_equal(part("s"), pa.scalar(".")))
    if order not in ("mdy", "dmy") and pc.any(slashed).as_py():
        raise pa.ArrowInvalid("nothing tells whether the day or the month is first")
    month_first = pc.and_(slashed, pa.scalar(order == "mdy"))
    day = pc.if_else(year_first, part("d"), pc.if_else(month_first, part("b"), part("a")))
    month = pc.if_else(year_first, part("m"), pc.if_else(month_first, part("a"), part("b")))
    year = pc.if_else(year_first, part("y"), part("c"))
    written = pc.binary_join_element_wise(year, _two(month), _two(day), "-")
    hours = part("h")
    half = pc.utf8_lower(part("p"))
    halved = pc.not_equal(half, pa.scalar(""))
    hour = pc.if_else(pc.equal(hours, pa.scalar("")), "0", hours).cast(pa.int64())
    if pc.any(pc.and_(halved, pc.or_(pc.less(hour, pa.scalar(1)), pc.greater(hour, pa.scalar(12))))).as_py():
        raise pa.ArrowInvalid("an hour is beyond the half day")
    twelve = pc.if_else(pc.equal(hour, pa.scalar(12)), 0, hour)
    hour = pc.if_else(halved, pc.add(twelve, pc.if_else(pc.equal(half, pa.scalar("pm")), 12, 0)), hour)
    minute = pc.if_else(pc.equal(part("n"), pa.scalar("")), "00", part("n"))
    second = pc.if_else(pc.equal(part("r"), pa.scalar("")), ":00", part("r"))
    clock = pc.binary_join_element_wise(_two(hour.cast(pa.string())), ":", minute, second, "")
    return pc.binary_join_element_wise(written, clock, " ")


def _two(digits: Any) -> Any:
    return pc.utf8_lpad(digits, 2, "0")
