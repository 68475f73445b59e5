"""The functions of the portable dialect, and what to use instead of those it refuses."""

PORTABLE: frozenset[str] = frozenset(
    {
        # aggregates
        "count", "sum", "avg", "min", "max", "count_if", "bool_and", "bool_or", "every",
        "max_by", "min_by", "stddev", "stddev_pop", "stddev_samp", "variance",
        "var_pop", "var_samp", "corr", "covar_pop", "covar_samp",
        # windows
        "rank", "dense_rank", "row_number", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
        "last_value",
        # conditions and conversions
        "coalesce", "nullif", "if", "greatest", "least", "cast", "try_cast",
        # numbers
        "abs", "ceil", "ceiling", "floor", "round", "sqrt", "exp", "ln", "power",
        "pow", "mod",
        # text
        "lower", "upper", "trim", "ltrim", "rtrim", "length", "substr", "substring", "replace", "reverse", "concat",
        "strpos", "starts_with", "lpad", "rpad", "regexp_like", "chr",
        # dates
        "year", "month", "day", "hour", "minute", "second", "quarter", "week", "day_of_week", "dow", "day_of_year",
        "doy", "date_trunc", "date_diff", "date_add", "date", "extract",
        # arrays
        "cardinality", "contains",
    }
)  # fmt: skip
"""Function names, each tested to give Athena's result on every engine (tests/conformance)."""

REFUSED: dict[str, str] = {
    "any_value": "use min() or max(), which always pick the same value",
    "approx_distinct": "use count(DISTINCT x), which is exact",
    "approx_percentile": "use avg(), min() and max(), or compute it outside SQL",
    "arbitrary": "use min() or max(), which always pick the same value",
    "array_agg": "engines differ in keeping nulls and order; group in the recipe or outside SQL",
    "cbrt": "use power(x, 1e0 / 3)",
    "current_date": "give the day as a parameter (?)",
    "current_timestamp": "give the time as a parameter (?)",
    "date_format": "use year(), month(), day() and their like",
    "date_parse": "use CAST(x AS date) or CAST(x AS timestamp) on ISO texts",
    "element_at": "engines differ beyond the array's end; use UNNEST",
    "format_datetime": "use year(), month(), day() and their like",
    "from_iso8601_timestamp": "use CAST(x AS timestamp)",
    "from_unixtime": "use date_add('second', x, CAST('1970-01-01 00:00:00' AS timestamp))",
    "json_extract": "read the file as a json table, or parse it in a recipe",
    "json_extract_scalar": "read the file as a json table, or parse it in a recipe",
    "log10": "use ln(x) / ln(1e1)",
    "log2": "use ln(x) / ln(2e0)",
    "map_agg": "group in the recipe or outside SQL",
    "now": "give the time as a parameter (?)",
    "nth_value": "use row_number() and a condition",
    "rand": "it differs at each run; use a column to choose rows",
    "random": "it differs at each run; use a column to choose rows",
    "regexp_extract": "engines differ in what no match gives; use strpos() and substr()",
    "regexp_replace": "engines differ in group references; use replace()",
    "sign": "use CASE WHEN x > 0 THEN 1 WHEN x < 0 THEN -1 ELSE 0 END",
    "split": "use strpos() and substr()",
    "split_part": "engines differ beyond the last part; use strpos() and substr()",
    "to_unixtime": "use date_diff('second', CAST('1970-01-01 00:00:00' AS timestamp), x)",
    "try": "use TRY_CAST for conversions and NULLIF(x, 0) for divisors",
    "uuid": "it differs at each run; use row_number()",
}
"""Athena's functions that engines do not agree on, and what to use instead."""
