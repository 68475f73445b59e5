"""The functions of the portable dialect, and what to use instead of those it refuses."""

PORTABLE: frozenset[str] = frozenset(
    {
        # aggregates
        "count", "sum", "avg", "min", "max", "count_if", "bool_and", "bool_or", "every", "arbitrary", "any_value",
        "max_by", "min_by", "array_agg", "approx_distinct", "stddev", "stddev_pop", "stddev_samp", "variance",
        "var_pop", "var_samp", "corr", "covar_pop", "covar_samp",
        # windows
        "rank", "dense_rank", "row_number", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
        "last_value", "nth_value",
        # conditions and conversions
        "coalesce", "nullif", "if", "greatest", "least", "cast", "try_cast",
        # numbers
        "abs", "ceil", "ceiling", "floor", "round", "sign", "sqrt", "cbrt", "exp", "ln", "log10", "log2", "power",
        "pow", "mod",
        # text
        "lower", "upper", "trim", "ltrim", "rtrim", "length", "substr", "substring", "replace", "reverse", "concat",
        "strpos", "split_part", "starts_with", "lpad", "rpad", "regexp_like", "chr",
        # dates
        "year", "month", "day", "hour", "minute", "second", "quarter", "week", "day_of_week", "dow", "day_of_year",
        "doy", "date_trunc", "date_diff", "date_add", "date", "extract",
        # arrays
        "cardinality", "contains",
    }
)  # fmt: skip
"""Function names, each tested to give Athena's result on every engine (tests/conformance)."""

REFUSED: dict[str, str] = {}
"""Athena's functions that engines do not agree on, and what to use instead."""
