"""The portable functions over arrays, maps and rows."""

from nextbasket.query.signature import Form

ARRAYS: tuple[Form, ...] = (
    Form("cardinality(collection)", "bigint", note="of an array or a map"),
    Form("contains(array, value)", "boolean", "athena_contains(array_, value)", "array_contains(array_, value)"),
    Form(
        "element_at(collection, key)",
        "1[]",
        note="NULL outside; counts from the end where negative; also of a map (a[i] outside is an error)",
    ),
    Form(
        "array_distinct(array)",
        "=1",
        "athena_distinct(array_)",
        "array_distinct(array_)",
    ),
    Form("array_sort(array)", "=1", "list_sort(array_, 'ASC', 'NULLS LAST')", "array_sort(array_)", "NULLs last"),
    Form(
        "array_max(array)",
        "1[]",
        "athena_array_max(array_)",
        "CASE WHEN NOT exists(array_, e -> e IS NULL) THEN array_max(array_) END",
        "NULL where one is NULL",
    ),
    Form(
        "array_min(array)",
        "1[]",
        "athena_array_min(array_)",
        "CASE WHEN NOT exists(array_, e -> e IS NULL) THEN array_min(array_) END",
        "NULL where one is NULL",
    ),
    Form(
        "array_join(array, separator)",
        "varchar",
        "coalesce(array_to_string(array_, separator), CASE WHEN NOT array_ IS NULL THEN '' END)",
        "array_join(CAST(array_ AS ARRAY<STRING>), separator)",
        "leaves NULLs out",
    ),
    Form(
        "array_join(array, separator, missing)",
        "varchar",
        "coalesce(array_to_string(list_transform(array_, LAMBDA e : coalesce(CAST(e AS TEXT), missing)), separator), "
        "CASE WHEN NOT array_ IS NULL THEN '' END)",
        "array_join(CAST(array_ AS ARRAY<STRING>), separator, missing)",
    ),
    Form(
        "array_position(array, value)",
        "bigint",
        "CASE WHEN NOT array_ IS NULL AND NOT value IS NULL THEN "
        "coalesce(CAST(list_position(array_, value) AS BIGINT), 0) END",
        "array_position(array_, value)",
        "0 where it is not there",
    ),
    Form(
        "array_remove(array, value)",
        "=1",
        "list_filter(array_, LAMBDA e : e IS DISTINCT FROM value)",
        "filter(array_, e -> e IS DISTINCT FROM value)",
    ),
    Form(
        "array_union(array, other)",
        "=1",
        "athena_distinct(list_concat(array_, other))",
        "array_union(array_, other)",
    ),
    Form(
        "array_intersect(array, other)",
        "=1",
        "athena_intersect(array_, other)",
        "array_intersect(array_, other)",
    ),
    Form(
        "array_except(array, other)",
        "=1",
        "athena_except(array_, other)",
        "array_except(array_, other)",
    ),
    Form("arrays_overlap(array, other)", "boolean", "athena_overlap(array_, other)", "arrays_overlap(array_, other)"),
    Form(
        "flatten(array)",
        "1[]",
        "flatten(list_filter(array_, LAMBDA e : NOT e IS NULL))",
        "flatten(filter(array_, e -> NOT e IS NULL))",
    ),
    Form("sequence(start, stop)", "[1]"),
    Form("sequence(start, stop, step)", "[1]"),
    Form(
        "slice(array, start, length)",
        "=1",
        "athena_slice(array_, start, length)",
        "slice(array_, CAST(start AS INT), CAST(length AS INT))",
    ),
    Form(
        "repeat(value, count)",
        "[1]",
        "list_transform(range(count), LAMBDA e : value)",
        "array_repeat(value, CAST(count AS INT))",
    ),
    Form(
        "filter(array, function)",
        "=1",
        "list_filter(array_, function_)",
        "filter(array_, function_)",
        "x -> condition",
    ),
    Form("transform(array, function)", "", "list_transform(array_, function_)", "transform(array_, function_)"),
    Form(
        "any_match(array, function)",
        "boolean",
        "athena_contains(list_transform(array_, function_), TRUE)",
        "exists(array_, function_)",
    ),
    Form(
        "all_match(array, function)",
        "boolean",
        "NOT athena_contains(list_transform(array_, function_), FALSE)",
        "forall(array_, function_)",
    ),
    Form(
        "none_match(array, function)",
        "boolean",
        "NOT athena_contains(list_transform(array_, function_), TRUE)",
        "NOT exists(array_, function_)",
    ),
    Form("reduce(array, start, step, finish)", "", note="(s, x) -> …, then s -> …"),
)
"""Functions over arrays."""

MAPS: tuple[Form, ...] = (
    Form("map(keys, values)", ""),
    Form("map_keys(map)", ""),
    Form("map_values(map)", ""),
    Form("map_entries(map)", ""),
    Form("map_from_entries(entries)", ""),
    Form("map_filter(map, function)", "=1", note="(k, v) -> condition"),
    Form("row(value, …)", "", note="fields are field0, field1, … until CAST(… AS ROW(name type, …))"),
)
"""Functions over maps and rows."""
