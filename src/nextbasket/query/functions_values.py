"""The portable functions over numbers and dates, conditions and conversions."""

from nextbasket.query.signature import Form

_LOG = "CASE WHEN {x} = 0 THEN CAST('-Infinity' AS DOUBLE) WHEN {x} < 0 THEN CAST('NaN' AS DOUBLE) ELSE {f}({x}) END"


def _spark_log(function: str) -> str:
    return _LOG.format(x="CAST(x AS DOUBLE)", f=function)


def _double(*names: str) -> tuple[Form, ...]:
    return tuple(Form(f"{name}(x)", "double") for name in names)


CONDITIONS: tuple[Form, ...] = (
    Form("coalesce(value, …)", "=1"),
    Form("nullif(value, other)", "=1"),
    Form("if(condition, then)", "=2"),
    Form("if(condition, then, otherwise)", "=2"),
    Form("greatest(value, …)", "=1", note="NULL as soon as one is NULL"),
    Form("least(value, …)", "=1", note="NULL as soon as one is NULL"),
    Form("cast(value AS type)"),
    Form("try_cast(value AS type)", note="NULL where the value cannot be converted"),
    Form(
        "try(expression)",
        "=1",
        note="NULL for a zero divisor, a failed cast, an overflow or a subscript outside; arithmetic only",
    ),
)
"""Conditions and conversions."""

NUMBERS: tuple[Form, ...] = (
    Form("abs(x)", "=1"),
    Form("sign(x)", "=1"),
    Form("ceil(x)", "=1"),
    Form("ceiling(x)", "=1"),
    Form("floor(x)", "=1"),
    Form("round(x)", "=1", note="halves away from zero"),
    Form("round(x, digits)", "=1"),
    Form(
        "truncate(x)",
        "double",
        "trunc(CAST(x AS DOUBLE))",
        "CAST(CASE WHEN x < 0 THEN ceil(CAST(x AS DOUBLE)) ELSE floor(CAST(x AS DOUBLE)) END AS DOUBLE)",
    ),
    Form("mod(x, y)", "=1", note="has the sign of x"),
    *_double("sqrt", "cbrt", "exp", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *_double("degrees", "radians"),
    Form("atan2(y, x)", "double"),
    Form("ln(x)", "double", "ln(x)", _spark_log("ln"), "-Infinity of 0, NaN of less"),
    Form("log2(x)", "double", "log2(x)", _spark_log("log2")),
    Form("log10(x)", "double", "log10(x)", _spark_log("log10")),
    Form(
        "log(base, x)",
        "double",
        "ln(x) / ln(base)",
        _spark_log("ln") + " / " + _LOG.format(x="CAST(base AS DOUBLE)", f="ln"),
    ),
    Form("power(x, y)", "double", "power(CAST(x AS DOUBLE), CAST(y AS DOUBLE))"),
    Form("pow(x, y)", "double", "power(CAST(x AS DOUBLE), CAST(y AS DOUBLE))", "power(x, y)"),
    Form("pi()", "double"),
    Form("e()", "double", "exp(CAST(1 AS DOUBLE))", "e()"),
    Form("nan()", "double", "CAST('NaN' AS DOUBLE)", "CAST('NaN' AS DOUBLE)"),
    Form("infinity()", "double", "CAST('Infinity' AS DOUBLE)", "CAST('Infinity' AS DOUBLE)"),
    Form(
        "is_nan(x)",
        "boolean",
        "isnan(CAST(x AS DOUBLE))",
        "CASE WHEN NOT x IS NULL THEN isnan(CAST(x AS DOUBLE)) END",
    ),
    Form(
        "is_finite(x)",
        "boolean",
        "isfinite(CAST(x AS DOUBLE))",
        "abs(CAST(x AS DOUBLE)) < CAST('Infinity' AS DOUBLE)",
    ),
    Form(
        "is_infinite(x)",
        "boolean",
        "isinf(CAST(x AS DOUBLE))",
        "abs(CAST(x AS DOUBLE)) = CAST('Infinity' AS DOUBLE)",
    ),
    Form("bitwise_and(x, y)", "bigint", "CAST(x & y AS BIGINT)", "CAST(x & y AS BIGINT)"),
    Form("bitwise_or(x, y)", "bigint", "CAST(x | y AS BIGINT)", "CAST(x | y AS BIGINT)"),
    Form("bitwise_xor(x, y)", "bigint", "CAST(xor(x, y) AS BIGINT)", "CAST(x ^ y AS BIGINT)"),
    Form("bitwise_not(x)", "bigint", "CAST(~x AS BIGINT)", "CAST(~x AS BIGINT)"),
    Form(
        "width_bucket(x, low, high, buckets)",
        "bigint",
        "athena_bucket(x, low, high, buckets)",
        "CASE WHEN x < low THEN 0 WHEN x >= high THEN buckets + 1 ELSE CAST(floor((CAST(x AS DOUBLE) - "
        "CAST(low AS DOUBLE)) / (CAST(high AS DOUBLE) - CAST(low AS DOUBLE)) * buckets) AS BIGINT) + 1 END",
    ),
)
"""Functions over numbers."""

DATES: tuple[Form, ...] = (
    *(
        Form(f"{name}(time)", "bigint")
        for name in ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "day_of_year", "doy")
    ),
    Form("day_of_week(time)", "bigint", note="Monday is 1, Sunday is 7"),
    Form("dow(time)", "bigint"),
    Form("day_of_month(time)", "bigint", "day(time)", "CAST(day(time) AS BIGINT)"),
    Form("week_of_year(time)", "bigint", "weekofyear(time)", "CAST(weekofyear(time) AS BIGINT)"),
    Form("year_of_week(time)", "bigint", "isoyear(time)", "CAST(extract(yearofweek FROM time) AS BIGINT)"),
    Form("yow(time)", "bigint", "isoyear(time)", "CAST(extract(yearofweek FROM time) AS BIGINT)"),
    Form(
        "millisecond(time)",
        "bigint",
        "millisecond(time) % 1000",
        "pmod(unix_millis(CAST(time AS TIMESTAMP)), CAST(1000 AS BIGINT))",
    ),
    Form("extract(field FROM time)", "bigint"),
    Form("date(value)", "date", note="the same as CAST(value AS date)"),
    Form("last_day_of_month(time)", "date", "last_day(time)", "last_day(time)"),
    Form("date_trunc(unit, time)", "=2", note="second, minute, hour, day, week, month, quarter or year"),
    Form("date_add(unit, count, time)", "=3", note="a date stays a date"),
    Form("date_diff(unit, from, to)", "bigint", note="whole units gone by"),
    Form("date_parse(text, format)", "timestamp", note="%Y %m %d %H %i %s and their like"),
    Form("date_format(time, format)", "varchar"),
    Form("to_iso8601(time)", "varchar"),
    Form(
        "to_unixtime(time)",
        "double",
        "epoch(CAST(time AS TIMESTAMP))",
        "unix_micros(CAST(time AS TIMESTAMP)) / CAST(1000000 AS DOUBLE)",
    ),
)
"""Functions over dates and timestamps."""
