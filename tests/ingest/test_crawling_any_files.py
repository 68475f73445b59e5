"""Whatever columns files have and in whatever order they come, a query gives each row under its own names."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COLUMNS = ("a", "b", "c", "d", "e", "f")

# A file: its extra columns beside a, b and c, the order of all, the delimiter, its folder, and how many rows.
FILES = st.lists(
    st.tuples(
        st.sets(st.sampled_from(COLUMNS[3:])),
        st.permutations(COLUMNS),
        st.sampled_from((",", ";", "\t")),
        st.sampled_from(("", "dt=2026-11-21/", "dt=2026-11-22/", "dt=a%20b/", "DT=2026-11-23/")),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=8,
)
FOLDERS = {"": None, "dt=a%20b/": "a b"}


# The fixture is a class, and holds nothing between examples.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, crawls=st.sets(st.integers(0, 7)))
def test_rows_are_read_by_name(make_home: Any, files: list[Any], crawls: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder))
        expected = []
        for number, (extra, order, delimiter, dt, rows) in enumerate(files):
            names = [name for name in order if name in COLUMNS[:3] or name in extra]
            path = home.path / f"landing/things/{dt}{number}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [delimiter.join(names)]
            for row in range(rows):
                values = {name: 1000 * number + 10 * row + COLUMNS.index(name) for name in names}
                lines.append(delimiter.join(str(values[name]) for name in names))
                expected.append((*(values.get(name) for name in COLUMNS), FOLDERS.get(dt, dt[3:-1])))
            path.write_text("\n".join(lines) + "\n")
            if number in crawls:
                home.crawl()
        (table,) = home.crawl().tables
        there = {column.name: column.type for column in home.catalog.table(table.name).columns}
        asked = ", ".join(name if name in there else f"CAST(NULL AS bigint) AS {name}" for name in COLUMNS)
        keys = home.catalog.table(table.name).partition_keys
        dt = "CAST(dt AS varchar)" if keys else "CAST(NULL AS varchar)"
        found = home.rows(f"SELECT {asked}, {dt} FROM landing.things ORDER BY a")  # noqa: S608 - names written above
        assert found == sorted(expected)
        assert set(there.values()) == {"bigint"}
