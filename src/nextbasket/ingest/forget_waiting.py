"""Take a person's lines out of those that wait for their order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nextbasket.catalog.base import Catalog
from nextbasket.ingest.forget_files import matching
from nextbasket.ingest.forget_person import ORDER, Person
from nextbasket.ingest.records import LINE
from nextbasket.ingest.waiting_lines import KEY, SHA256, WaitingLines
from nextbasket.lake.base import Lake


def still_waiting(
    lake: Lake, catalog: Catalog, person: Person, rewritten: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Write the waiting lines that are not the person's; returns their file's key, None where nothing changes.

    A line of a landed file that was written again has that file's new hash and name, and its line's new number.
    """
    waiting = WaitingLines(lake, catalog)
    lines = waiting.read()
    if not lines.num_rows:
        return None
    kept = lines
    if person.orders:
        kept = lines.filter(pc.invert(matching({ORDER: lines.column(ORDER)}, {ORDER: person.orders})))
    for new, one in rewritten.items():
        if "former" in one:
            kept = _renamed(kept, str(one["former"]), new, str(one["key"]), one["lines"])
    return None if kept.equals(lines) else waiting.write(kept)


def _renamed(lines: pa.Table, former: str, new: str, key: str, gone: list[int]) -> pa.Table:
    mine: Any = pc.equal(lines.column(SHA256), pa.scalar(former))
    if not pc.any(mine).as_py():
        return lines
    numbers = lines.column(LINE).to_numpy(zero_copy_only=False)
    shifted = pa.array(numbers - np.searchsorted(np.asarray(sorted(gone)), numbers), pa.int64())
    changed: dict[str, Any] = {
        LINE: pc.if_else(mine, shifted, lines.column(LINE)),
        KEY: pc.if_else(mine, pa.scalar(key), lines.column(KEY)),
        SHA256: pc.if_else(mine, pa.scalar(new), lines.column(SHA256)),
    }
    for name, values in changed.items():
        place = lines.schema.get_field_index(name)
        lines = lines.set_column(place, lines.schema.field(place), values)
    return lines
