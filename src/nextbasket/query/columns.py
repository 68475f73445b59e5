"""Match a result's columns with those to write."""

import pyarrow as pa

from nextbasket.errors import QueryError


def same_columns(result: pa.Schema, wanted: pa.Schema) -> list[int]:
    """Return each wanted column's position in the result; raises QueryError unless both hold the same names."""
    lowered = [name.lower() for name in result.names]
    found = {name: position for position, name in enumerate(lowered)}
    if len(found) != len(lowered):
        repeated = next(name for name in lowered if lowered.count(name) > 1)
        raise QueryError(f"column {repeated} stands twice in the result: give one of them another name with AS.")
    names = {name.lower() for name in wanted.names}
    missing = [name for name in wanted.names if name.lower() not in found]
    extra = [name for name in result.names if name.lower() not in names]
    if missing or extra:
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} too many"] * bool(extra)
        raise QueryError(f"the result's columns are not those to write: it {' and '.join(parts)}.")
    return [found[name.lower()] for name in wanted.names]
