"""What a second crawl finds: drift, policies, files that are gone, and what a killed crawl leaves."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import ChangePolicy
from nextbasket.ingest.crawl import Crawler, CrawlPolicy, DeletePolicy
from nextbasket.ingest.drift_history import DEPRECATED, History

LOG = CrawlPolicy(schema=ChangePolicy.LOG)


def put(home: Any, files: dict[str, str]) -> None:
    for key, content in files.items():
        path = Path(home.path) / "landing" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def remove(home: Any, *keys: str) -> None:
    for key in keys:
        (Path(home.path) / "landing" / key).unlink()


def schema(home: Any, table: str) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in home.catalog.table(table).columns]


def history(home: Any, table: str) -> list[tuple[tuple[str, ...], bool]]:
    return [(change.lines, change.applied) for change in History(home.catalog).of(table)]


def test_types_widen_and_new_columns_come_last(home: Any) -> None:
    steps = [
        ("1", "n,at\n1,2026-11-22\n", [("n", "bigint"), ("at", "date")]),
        ("2", "n,at\n1.5,2026-11-22 10:00:00\n", [("n", "double"), ("at", "timestamp")]),
        ("3", "new,n,at\nx,many,soon\n", [("n", "string"), ("at", "string"), ("new", "string")]),
    ]
    for name, text, expected in steps:
        put(home, {f"sales/{name}.csv": text})
        home.crawl()
        assert schema(home, "landing.sales") == expected
    assert home.rows("SELECT n, at, new FROM landing.sales ORDER BY n") == [
        ("1", "2026-11-22", None),
        ("1.5", "2026-11-22 10:00:00", None),
        ("many", "soon", "x"),
    ]
    assert history(home, "landing.sales")[1:] == [
        (("~ column n: bigint -> double", "~ column at: date -> timestamp"), True),
        (
            (
                "+ column new string",
                "~ column n: double -> string",
                "~ column at: timestamp -> string",
            ),
            True,
        ),
    ]


def test_a_column_that_no_file_has_any_more_goes(home: Any) -> None:
    put(home, {"sales/1.csv": "a,b,c\n1,2,3\n"})
    home.crawl()
    put(home, {"sales/1.csv": "a,c\n1,3\n2,4\n"})
    (table,) = home.crawl().tables
    assert table.differences == ("- column b bigint",)
    assert home.rows("SELECT a, c FROM landing.sales ORDER BY a") == [(1, 3), (2, 4)]


def test_policy_log_says_the_difference_and_keeps_the_schema(home: Any) -> None:
    put(home, {"sales/1.csv": "id,amount\n1,10\n"})
    home.crawl()
    put(home, {"sales/2.csv": "brand,id,amount\nx,2,20\n", "aisles/a.csv": "aisle_id\n1\n"})
    report = home.crawl(LOG)
    assert [(table.name, table.applied) for table in report.tables] == [
        ("landing.aisles", True),  # a new table is made all the same
        ("landing.sales", False),
    ]
    assert report.tables[1].differences == ("+ column brand string",)
    assert schema(home, "landing.sales") == [("id", "bigint"), ("amount", "bigint")]
    # The new file is read: its new column is not.
    assert home.rows("SELECT * FROM landing.sales ORDER BY id") == [(1, 10), (2, 20)]
    home.crawl(LOG)
    assert [applied for _, applied in history(home, "landing.sales")] == [True, False]
    home.crawl()
    assert schema(home, "landing.sales") == [("id", "bigint"), ("amount", "bigint"), ("brand", "string")]
    assert [applied for _, applied in history(home, "landing.sales")] == [True, False, True]


def test_a_table_without_files_is_deprecated_until_they_are_back(home: Any) -> None:
    put(home, {"sales/1.csv": "id\n1\n", "aisles/a.csv": "aisle_id\n1\n"})
    home.crawl()
    remove(home, "sales/1.csv")
    for _ in range(2):
        assert [(gone.name, gone.action) for gone in home.crawl().gone] == [("landing.sales", "deprecated")]
    marked = home.catalog.table("landing.sales").parameters[DEPRECATED]
    assert marked.startswith("2026-11-22T")
    assert home.rows("SELECT id FROM landing.sales") == []
    put(home, {"sales/2.csv": "id\n2\n"})
    report = home.crawl()
    assert report.gone == ()
    assert report.tables[1].differences == ("~ its files are back: no longer deprecated",)
    assert DEPRECATED not in home.catalog.table("landing.sales").parameters
    assert [lines for lines, _ in history(home, "landing.sales")][1:] == [
        ("~ its files are gone: deprecated",),
        ("~ its files are back: no longer deprecated",),
    ]


@pytest.mark.parametrize(
    ("policy", "action", "left"),
    [(DeletePolicy.DELETE, "dropped", ["aisles"]), (DeletePolicy.LOG, "noted", ["aisles", "sales"])],
)
def test_other_policies_for_tables_without_files(home: Any, policy: DeletePolicy, action: str, left: list[str]) -> None:
    put(home, {"sales/1.csv": "id\n1\n", "aisles/a.csv": "aisle_id\n1\n"})
    home.crawl()
    remove(home, "sales/1.csv")
    report = home.crawl(CrawlPolicy(delete=policy))
    assert [(gone.name, gone.action) for gone in report.gone] == [("landing.sales", action)]
    assert [definition.name for definition in home.catalog.tables("landing")] == left


def test_a_table_that_someone_made_elsewhere_is_left_alone(home: Any) -> None:
    put(home, {"sales/1.csv": "id\n1\n"})
    home.crawl()
    made = home.catalog.table("landing.sales")
    elsewhere = home.lake.uri(
        next(zone for zone in type(home.lake.locate(made.location)[0]) if zone == "exchange"), "x"
    )

    home.catalog.define(replace(made, name="mine", location=elsewhere))
    assert home.crawl(CrawlPolicy(delete=DeletePolicy.DELETE)).gone == ()


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


class Dying:
    """A catalog that dies at its n-th change of a definition or of the state, before or after it."""

    def __init__(self, catalog: Any, dies_at: int, *, after: bool) -> None:
        self._catalog = catalog
        self._left = dies_at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._catalog, name)
        if name not in ("define", "set_state"):
            return found

        def dying(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Killed
            result = found(*arguments, **named)
            if self._left == 0:
                raise Killed
            return result

        return dying


@pytest.mark.parametrize("after", [False, True])
def test_a_crawl_killed_anywhere_runs_again_and_ends_the_same(make_home: Any, tmp_path: Path, after: bool) -> None:
    def made(name: str) -> Any:
        (tmp_path / name).mkdir()
        home = make_home(tmp_path / name)
        put(home, {"sales/1.csv": "id\n1\n", "aisles/1.csv": "aisle_id\n1\n"})
        home.crawl()
        put(home, {"sales/2.csv": "new,id\nx,2.5\n", "aisles/2.csv": "aisle_id,aisle\n2,x\n", "x/1.csv": "a,b\n1,2\n"})
        return home

    def end(home: Any) -> list[Any]:
        return [
            (one.full_name, one.columns, dict(one.parameters), history(home, one.full_name))
            for one in home.catalog.tables("landing")
        ]

    whole = made("whole")
    whole.crawl()
    dies_at = 0
    died = True
    while died:
        dies_at += 1
        home = made(f"killed-{dies_at}")
        dying = Dying(home.catalog, dies_at, after=after)
        try:
            Crawler(home.lake, dying, dying, clock=home.clock).crawl()
            died = False
        except Killed:
            home.crawl()
        assert end(home) == end(whole)
    assert dies_at > 9  # three states, three histories, three tables


def test_types_of_typed_files_widen_without_another_meaning(home: Any) -> None:
    """By itself DuckDB takes TRUE for 1 where another file has numbers."""
    folder = Path(home.path) / "landing/things"
    folder.mkdir(parents=True)
    first: dict[str, Any] = {"n": pa.array([1], pa.int32()), "b": pa.array([True]), "d": pa.array([date(2026, 1, 1)])}
    pq.write_table(pa.table(first), folder / "1.parquet")
    home.crawl()
    assert schema(home, "landing.things") == [("n", "int"), ("b", "boolean"), ("d", "date")]
    at = pa.array([datetime(2026, 1, 1, 5)], pa.timestamp("us"))
    pq.write_table(pa.table({"n": pa.array([2**40]), "b": pa.array([7]), "d": at}), folder / "2.parquet")
    home.crawl()
    assert schema(home, "landing.things") == [("n", "bigint"), ("b", "string"), ("d", "timestamp")]
    assert home.rows("SELECT n, b, d FROM landing.things ORDER BY n") == [
        (1, "true", datetime(2026, 1, 1)),
        (2**40, "7", datetime(2026, 1, 1, 5)),
    ]
    pq.write_table(pa.table({"n": pa.array([0.5]), "b": ["x"], "d": ["soon"]}), folder / "3.parquet")
    home.crawl()
    assert schema(home, "landing.things") == [("n", "double"), ("b", "string"), ("d", "string")]
    assert home.rows("SELECT n, b, d FROM landing.things ORDER BY n") == [
        (0.5, "x", "soon"),
        (1.0, "true", "2026-01-01"),
        (float(2**40), "7", "2026-01-01 05:00:00"),
    ]
