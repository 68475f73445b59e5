"""What Athena does and DuckDB's own functions do not, as DuckDB macros."""

# Athena divides integers to an integer and fails on zero, and divides doubles by zero to infinity or NaN. DuckDB's //
# does the first by the operands' own types but fails on zero for doubles too; the cast gives those their value back,
# and for integers it fails ("Infinity" is no integer), as it must.
_DIVIDE = """(a, b) AS CASE WHEN b = 0 THEN cast_to_type(
  CASE WHEN isnan(CAST(a AS DOUBLE)) OR a = 0 THEN 'NaN' WHEN a > 0 THEN 'Infinity' WHEN a < 0 THEN '-Infinity' END,
  a // b) ELSE a // b END"""

MACROS: dict[str, str] = {
    "athena_divide": _DIVIDE,
    # Before the first character, at 0 and for no length Athena's substr gives nothing.
    "athena_substr": """(t, a) AS CASE WHEN a = 0 OR abs(a) > length(t) THEN substr(t, 1, 0) ELSE substr(t, a) END,
      (t, a, n) AS CASE WHEN a = 0 OR n <= 0 OR abs(a) > length(t) THEN substr(t, 1, 0) ELSE substr(t, a, n) END""",
    "athena_split_part": """(t, d, i) AS CASE WHEN i < 1 THEN error('Index must be greater than zero')
      ELSE list_extract(string_split(t, d), i) END""",
    # DuckDB's reverse keeps a letter and its accents together, Athena's does not.
    "athena_reverse": "(t) AS CASE WHEN t IS NOT NULL THEN array_to_string(list_reverse(string_split(t, '')), '') END",
    # A text that DuckDB would read and Athena would not becomes one that neither reads.
    "athena_whole": """(t) AS CASE WHEN regexp_full_match(t, '\\s*[+-]?[0-9]+\\s*') THEN t ELSE '"' || t || '"' END""",
    "athena_day": """(t) AS CASE WHEN regexp_full_match(t, '\\s*[+-]?[0-9]+-[0-9]{1,2}-[0-9]{1,2}\\s*') THEN t
      ELSE '"' || t || '"' END""",
    "athena_truth": """(t) AS CASE WHEN regexp_full_match(t, '(?i)t|f|true|false|0|1') THEN t
      ELSE '"' || t || '"' END""",
    "athena_subscript": """(l, i) AS CASE WHEN i = 0 THEN error('SQL array indices start at 1')
      WHEN i < 0 THEN error('Array subscript is negative')
      WHEN i > len(l) THEN error('Array subscript must be less than or equal to array length')
      ELSE list_extract(l, i) END""",
    # Inside of TRY nothing may raise an error by itself.
    "athena_tried_subscript": "(l, i) AS CASE WHEN i > 0 THEN list_extract(l, i) END",
    "athena_element": """(l, i) AS CASE WHEN i = 0 THEN error('SQL array indices start at 1')
      ELSE list_extract(l, i) END""",
    "athena_map_subscript": """(m, k) AS CASE WHEN NOT list_contains(map_keys(m), k)
      THEN error('Key not present in map') ELSE map_extract_value(m, k) END""",
    # NULL where it is not found but could be what a NULL stands for.
    "athena_contains": """(l, x) AS CASE WHEN x IS NULL OR l IS NULL THEN NULL WHEN list_contains(l, x) THEN true
      WHEN list_count(l) < len(l) THEN NULL ELSE false END""",
    "athena_distinct": "(l) AS list_filter(l, lambda x, i: list_position(l, x) = i)",
    "athena_intersect": "(a, b) AS athena_distinct(list_filter(a, lambda x: list_position(b, x) IS NOT NULL))",
    "athena_except": """(a, b) AS CASE WHEN b IS NOT NULL
      THEN athena_distinct(list_filter(a, lambda x: list_position(b, x) IS NULL)) END""",
    "athena_overlap": """(a, b) AS CASE WHEN list_has_any(list_filter(a, lambda x: x IS NOT NULL), b) THEN true
      WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(a) = 0 OR len(b) = 0 THEN false
      WHEN list_count(a) < len(a) OR list_count(b) < len(b) THEN NULL ELSE false END""",
    "athena_array_max": "(l) AS CASE WHEN list_count(l) = len(l) THEN list_max(l) END",
    "athena_array_min": "(l) AS CASE WHEN list_count(l) = len(l) THEN list_min(l) END",
    "athena_slice": """(l, a, n) AS CASE WHEN a = 0 THEN error('SQL array indices start at 1')
      WHEN n < 0 THEN error('length must be greater than or equal to 0')
      WHEN n = 0 OR abs(a) > len(l) THEN list_slice(l, 1, 0)
      WHEN a > 0 THEN list_slice(l, a, a + n - 1) ELSE list_slice(l, len(l) + a + 1, len(l) + a + n) END""",
    "athena_sequence": """(a, b) AS generate_series(a, b, CASE WHEN a <= b THEN 1 ELSE -1 END),
      (a, b, s) AS CASE WHEN s = 0 OR (s > 0 AND a > b) OR (s < 0 AND a < b)
      THEN error('a sequence cannot reach its stop by its step') ELSE generate_series(a, b, s) END""",
    "athena_bucket": """(x, low, high, n) AS CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1
      ELSE CAST(floor((CAST(x AS DOUBLE) - low) / (CAST(high AS DOUBLE) - low) * n) AS BIGINT) + 1 END""",
    # What is no JSON is an error in DuckDB.
    "athena_json_scalar": """(j, p) AS CASE WHEN TRY(json_type(j, p)) NOT IN ('OBJECT', 'ARRAY')
      THEN TRY(json_extract_string(j, p)) END""",
    "athena_json_length": """(j) AS CASE WHEN TRY(json_type(j)) = 'ARRAY'
      THEN CAST(TRY(json_array_length(j)) AS BIGINT) END""",
}
"""Macro definitions by name, those that others use before them."""


def needed(sql: str) -> list[str]:
    """Return the statements that define the macros a SQL text uses, in an order in which they can run."""
    found: set[str] = set()
    texts = [sql.lower()]
    while texts:
        text = texts.pop()
        for name, body in MACROS.items():
            if name not in found and f"{name}(" in text:
                found.add(name)
                texts.append(body)
    return [f"CREATE MACRO {name} {body}" for name, body in MACROS.items() if name in found]
