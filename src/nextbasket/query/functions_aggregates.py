"""The portable functions over groups and windows."""

from nextbasket.query.signature import Form


def _same(returns: str, *signatures: str) -> tuple[Form, ...]:
    return tuple(Form(signature, returns) for signature in signatures)


AGGREGATES: tuple[Form, ...] = (
    Form("count(*)", "bigint"),
    Form("count(value)", "bigint"),
    Form("sum(x)", "", note="an overflow is an error"),
    Form("avg(x)", "", note="of decimals: a decimal of the same scale"),
    *_same("=1", "min(x)", "max(x)"),
    Form("count_if(condition)", "bigint"),
    *_same("boolean", "bool_and(condition)", "bool_or(condition)"),
    Form("every(condition)", "boolean", "bool_and(condition)", "bool_and(condition)", aggregate=True),
    Form(
        "max_by(value, x)",
        "=1",
        "arg_max_null(value, x)",
        "max_by(value, x)",
        "the value where x is greatest",
        aggregate=True,
    ),
    Form("min_by(value, x)", "=1", "arg_min_null(value, x)", "min_by(value, x)", aggregate=True),
    Form("any_value(x)", "=1", "min(x)", "min(x)", "always the least, so that each run gives the same", aggregate=True),
    Form("arbitrary(x)", "=1", "min(x)", "min(x)", "the same as any_value()", aggregate=True),
    *_same(
        "double",
        "stddev(x)",
        "stddev_pop(x)",
        "stddev_samp(x)",
        "variance(x)",
        "var_pop(x)",
        "var_samp(x)",
        "covar_pop(y, x)",
        "covar_samp(y, x)",
    ),
    Form(
        "corr(y, x)",
        "double",
        "nullif(corr(y, x), CAST('NaN' AS DOUBLE))",
        "covar_pop(y, x) / nullif(stddev_pop(CASE WHEN NOT x IS NULL THEN y END) * "
        "stddev_pop(CASE WHEN NOT y IS NULL THEN x END), CAST(0 AS DOUBLE))",
        "NULL where one of them does not change",
        aggregate=True,
    ),
    Form(
        "geometric_mean(x)",
        "double",
        "exp(avg(ln(CAST(x AS DOUBLE))))",
        "exp(avg(ln(CAST(x AS DOUBLE))))",
        aggregate=True,
    ),
    Form("bitwise_and_agg(x)", "bigint", "CAST(bit_and(x) AS BIGINT)", "CAST(bit_and(x) AS BIGINT)", aggregate=True),
    Form("bitwise_or_agg(x)", "bigint", "CAST(bit_or(x) AS BIGINT)", "CAST(bit_or(x) AS BIGINT)", aggregate=True),
    Form(
        "approx_distinct(x)",
        "bigint",
        "count(DISTINCT x)",
        "count(DISTINCT x)",
        "exact here; Athena may be off by 2.3 %",
        aggregate=True,
    ),
    Form(
        "approx_percentile(x, share)",
        "=1",
        "quantile_disc(x, share)",
        "percentile_approx(x, share, 1000000)",
        "one of the values, exact here; share is a number or an array of them",
        aggregate=True,
    ),
    Form("array_agg(x)", "[1]", note="keeps NULLs; without ORDER BY inside in any order", aggregate=True),
    Form("map_agg(key, value)", "", note="keys must differ", aggregate=True),
    Form("listagg(text, separator)", "varchar", note="WITHIN GROUP (ORDER BY …)", aggregate=True),
    Form("grouping(column, …)", "bigint", note="bits: 1 where the column is not grouped by"),
)
"""Functions over groups; each but array_agg, map_agg, listagg and grouping is also one over windows."""

WINDOWS: tuple[Form, ...] = (
    *_same("bigint", "rank()", "dense_rank()", "row_number()", "ntile(n)"),
    *_same("double", "percent_rank()", "cume_dist()"),
    *_same(
        "=1",
        "lag(x)",
        "lag(x, offset)",
        "lag(x, offset, otherwise)",
        "lead(x)",
        "lead(x, offset)",
        "lead(x, offset, otherwise)",
        "first_value(x)",
        "last_value(x)",
        "nth_value(x, n)",
    ),
)
"""Functions over windows only."""
