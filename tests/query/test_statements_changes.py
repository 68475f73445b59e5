"""DELETE, UPDATE and MERGE on Iceberg tables, time travel, and what a lost race does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nextbasket.catalog.base import CommitMode
from nextbasket.errors import CommitConflictError, InputError, NotFoundError, QueryError
from nextbasket.query import dialect
from nextbasket.query.dml import Changes
from nextbasket.query.references import at_fixed_times, references

from .home import StatementHome

ORDERS = "CREATE TABLE mine.o WITH (table_type = 'ICEBERG') AS SELECT order_id, user_id, gap FROM orders"
ALL = "SELECT * FROM mine.o ORDER BY order_id"
NEW = (
    "CREATE TABLE mine.new AS SELECT * FROM (VALUES (2, 9, 1e0), (4, 9, 2e0), (7, 9, 3e0)) AS n(order_id, user_id, gap)"
)


@pytest.fixture
def home(tmp_path: Path) -> StatementHome:
    made = StatementHome(tmp_path / "home")
    made.run(ORDERS)
    return made


@pytest.mark.parametrize(
    ("sql", "count", "expected"),
    [
        ("DELETE FROM mine.o WHERE gap > 5", 2, [(1, 1, None), (4, 2, None)]),
        ("DELETE FROM mine.o WHERE gap IS NULL", 2, [(2, 1, 7.0), (3, 1, 14.0)]),
        ("DELETE FROM mine.o", 4, []),
        ("DELETE FROM mine.o WHERE order_id > 100", 0, [(1, 1, None), (2, 1, 7.0), (3, 1, 14.0), (4, 2, None)]),
        (
            "DELETE FROM mine.o AS t WHERE gap < (SELECT avg(gap) FROM mine.o) OR t.order_id IN "
            "(SELECT order_id FROM orders WHERE user_id = 2)",
            2,
            [(1, 1, None), (3, 1, 14.0)],
        ),
        (
            "UPDATE mine.o SET gap = gap * 2, user_id = 5 WHERE user_id = 1",
            3,
            [(1, 5, None), (2, 5, 14.0), (3, 5, 28.0), (4, 2, None)],
        ),
        ("UPDATE mine.o SET gap = NULL", 4, [(1, 1, None), (2, 1, None), (3, 1, None), (4, 2, None)]),
        # Both sides of SET see the old row.
        (
            "UPDATE mine.o t SET user_id = t.order_id, order_id = t.user_id WHERE t.order_id = 4",
            1,
            [(1, 1, None), (2, 1, 7.0), (2, 4, None), (3, 1, 14.0)],
        ),
        (
            "UPDATE mine.o SET gap = (SELECT max(order_id) FROM mine.o) WHERE gap IS NULL",
            2,
            [(1, 1, 4.0), (2, 1, 7.0), (3, 1, 14.0), (4, 2, 4.0)],
        ),
    ],
)
def test_delete_and_update(home: StatementHome, sql: str, count: int, expected: list[tuple]) -> None:
    before = len(home.catalog.snapshots("mine.o"))
    assert home.rows(sql) == [{"rows": count}]
    assert home.values(ALL + ", user_id") == expected
    assert len(home.catalog.snapshots("mine.o")) == before + (count > 0)


def test_only_files_with_a_changed_row_are_written_again(home: StatementHome) -> None:
    home.run("INSERT INTO mine.o VALUES (10, 10, 1e0)", "INSERT INTO mine.o VALUES (20, 20, 1e0)")
    before = {file.uri for file in home.catalog.scan("mine.o").files}
    home.run("UPDATE mine.o SET gap = 2e0 WHERE order_id = 10")
    after = {file.uri for file in home.catalog.scan("mine.o").files}
    assert len(before) == len(after) == 3
    assert len(before & after) == 2


def test_a_partitioned_table_keeps_its_partitions_through_changes(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine.p WITH (table_type = 'ICEBERG', partitioning = ARRAY['eval_set']) AS "
        "SELECT order_id, eval_set FROM orders",
        "UPDATE mine.p SET eval_set = 'moved' WHERE order_id IN (1, 3)",
        "DELETE FROM mine.p WHERE order_id = 4",
    )
    assert home.values("SELECT * FROM mine.p ORDER BY 1") == [(1, "moved"), (2, "prior"), (3, "moved")]
    assert home.values("SHOW PARTITIONS mine.p") == [("eval_set=moved",), ("eval_set=prior",)]


def test_merge_updates_deletes_and_inserts_in_one_commit(home: StatementHome) -> None:
    home.run(NEW)
    merge = """MERGE INTO mine.o AS t USING mine.new AS s ON t.order_id = s.order_id
        WHEN MATCHED AND s.order_id = 4 THEN DELETE
        WHEN MATCHED THEN UPDATE SET gap = t.gap + s.gap, user_id = s.user_id
        WHEN NOT MATCHED THEN INSERT (order_id, gap) VALUES (s.order_id, s.gap)"""
    assert home.rows(merge) == [{"rows": 3}]
    assert home.values(ALL) == [(1, 1, None), (2, 9, 8.0), (3, 1, 14.0), (7, None, 3.0)]
    assert len(home.catalog.snapshots("mine.o")) == 2


@pytest.mark.parametrize(
    ("whens", "count", "expected"),
    [
        ("WHEN MATCHED AND s.order_id = 2 THEN DELETE", 1, [(1, 1, None), (3, 1, 14.0), (4, 2, None)]),
        (
            "WHEN NOT MATCHED THEN INSERT VALUES (s.order_id, s.user_id, s.gap)",
            1,
            [(1, 1, None), (2, 1, 7.0), (3, 1, 14.0), (4, 2, None), (7, 9, 3.0)],
        ),
        (
            "WHEN NOT MATCHED AND s.gap > 5 THEN INSERT (order_id) VALUES (s.order_id)",
            0,
            [(1, 1, None), (2, 1, 7.0), (3, 1, 14.0), (4, 2, None)],
        ),
        (
            "WHEN MATCHED AND t.gap > 0 THEN UPDATE SET gap = 0 WHEN MATCHED THEN UPDATE SET gap = -1e0",
            2,
            [(1, 1, None), (2, 1, 0.0), (3, 1, 14.0), (4, 2, -1.0)],
        ),
    ],
)
def test_merge_applies_the_first_clause_that_holds(
    home: StatementHome, whens: str, count: int, expected: list[tuple]
) -> None:
    home.run(NEW)
    assert home.rows(f"MERGE INTO mine.o t USING mine.new s ON t.order_id = s.order_id {whens}") == [{"rows": count}]
    assert home.values(ALL) == expected


def test_merge_refuses_two_source_rows_for_one_and_changes_nothing(home: StatementHome) -> None:
    twice = "(VALUES (2, 1e0), (2, 2e0), (3, 5e0)) AS s(id, gap)"
    with pytest.raises(QueryError, match=r"a row of mine\.o matches more than one row of s"):
        home.rows(f"MERGE INTO mine.o t USING {twice} ON t.order_id = s.id WHEN MATCHED THEN UPDATE SET gap = s.gap")
    assert len(home.catalog.snapshots("mine.o")) == 1
    # A pair to which no clause applies does not count.
    home.run(
        f"MERGE INTO mine.o t USING {twice} ON t.order_id = s.id WHEN MATCHED AND s.gap > 1 THEN UPDATE SET gap = s.gap"
    )
    assert home.values(ALL) == [(1, 1, None), (2, 1, 2.0), (3, 1, 5.0), (4, 2, None)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE mine.o SET nope = 1", r"mine\.o has no column nope.*line 1, column 19"),
        ("UPDATE mine.o SET order_id = 'x'", "column order_id is bigint and the value given is varchar"),
        ("UPDATE mine.o SET gap = 1, gap = 2", "names the column gap twice"),
        ("UPDATE mine.o SET gap = 1 FROM orders", "use MERGE for more"),
        ("UPDATE mine.o SET gap = order_id / 0", "division by zero"),
        ("DELETE FROM mine.o WHERE\n  nope = 1", r"no column nope.*line 2, column 3"),
        ("DELETE FROM mine.o WHERE getenv('HOME') = 'a'", r"no function getenv\(\).*line 1, column 26"),
        ("DELETE FROM landing.orders", "belongs to the pipeline"),
        ("MERGE INTO mine.o USING orders AS o ON 1 = 1 WHEN MATCHED THEN DELETE", "needs a name of its own"),
    ],
)
def test_changes_that_cannot_be_are_refused_and_change_nothing(home: StatementHome, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        home.rows(sql)
    assert len(home.catalog.snapshots("mine.o")) == 1


def test_a_table_of_files_takes_no_changes(home: StatementHome) -> None:
    home.run("CREATE TABLE mine.f AS SELECT 1 AS a", "CREATE VIEW mine.v AS SELECT a FROM mine.f")
    with pytest.raises(QueryError, match=r"mine\.f is a table of files and only Iceberg tables take UPDATE"):
        home.rows("UPDATE mine.f SET a = 2")
    with pytest.raises(QueryError, match=r"mine\.v is a view: DELETE the table it reads|is a view"):
        home.rows("DELETE FROM mine.v")


def test_a_change_of_a_version_that_is_gone_commits_nothing(
    home: StatementHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Changes._write

    def overtaken(self: Changes, *args: object) -> object:
        files = write(self, *args)
        scan = home.catalog.scan("mine.o")
        if len(home.catalog.snapshots("mine.o")) == 1:
            home.catalog.commit("mine.o", CommitMode.MERGE_BY_KEY, [], run_id="other", replaces=[scan.files[0].uri])
        return files

    monkeypatch.setattr(Changes, "_write", overtaken)
    with pytest.raises(CommitConflictError, match="run again"):
        home.rows("UPDATE mine.o SET gap = 1 WHERE order_id = 1")
    assert home.values(ALL) == []
    assert len(home.catalog.snapshots("mine.o")) == 2


def test_time_travel_by_version_and_by_time(home: StatementHome) -> None:
    first = home.catalog.snapshots("mine.o")[0]
    home.run("DELETE FROM mine.o WHERE order_id < 4", "INSERT INTO mine.o VALUES (9, 9, NULL)")
    assert home.values(ALL) == [(4, 2, None), (9, 9, None)]
    count = "SELECT count(*) FROM mine.o"
    assert home.values(f"{count} FOR VERSION AS OF {first.id}") == [(4,)]
    moment = first.at.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert home.values(f"{count} FOR TIMESTAMP AS OF TIMESTAMP '{moment} UTC'") == [(4,)]
    assert home.values(f"{count} FOR TIMESTAMP AS OF TIMESTAMP '2100-01-01 00:00:00' AS t") == [(2,)]
    both = "SELECT n.order_id FROM mine.o AS n JOIN mine.o FOR VERSION AS OF {} AS t ON t.order_id = n.order_id"
    assert home.values(both.format(first.id)) == [(4,)]
    with pytest.raises(NotFoundError, match=r"mine\.o has no version at 2020-01-01.*line 1, column 27"):
        home.rows(f"{count} FOR TIMESTAMP AS OF TIMESTAMP '2020-01-01 00:00:00'")
    with pytest.raises(NotFoundError, match=r"has no snapshot 1; its latest"):
        home.rows(f"{count} FOR VERSION AS OF 1")
    with pytest.raises(QueryError, match="write FOR TIMESTAMP AS OF TIMESTAMP"):
        home.rows(f"{count} FOR TIMESTAMP AS OF 'yesterday'")
    with pytest.raises(InputError, match="read in place"):
        home.rows("SELECT * FROM landing.orders FOR VERSION AS OF 1")


def test_tables_about_a_table(home: StatementHome) -> None:
    home.run("INSERT INTO mine.o VALUES (9, 9, NULL)")
    first, second = home.catalog.snapshots("mine.o")
    assert home.values('SELECT snapshot_id, parent_id, operation FROM mine."o$snapshots" ORDER BY committed_at') == [
        (first.id, None, "append"),
        (second.id, first.id, "append"),
    ]
    assert home.values('SELECT count(*) FROM mine."o$history" WHERE is_current_ancestor') == [(2,)]
    assert home.values('SELECT sum(record_count), count(*) FROM "mine"."o$files"') == [(5, 2)]
    latest = "SELECT max(snapshot_id) FROM mine.\"o$snapshots\" WHERE operation = 'append'"
    assert home.values(latest) == [(max(first.id, second.id),)]
    with pytest.raises(QueryError, match=r'there are "o\$snapshots", "o\$history", "o\$files"'):
        home.rows('SELECT * FROM mine."o$manifests"')


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("current_timestamp", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("(CURRENT_TIMESTAMP - INTERVAL '1' DAY)", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("current_timestamp - interval '90' minute", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_version_may_be_told_from_the_current_time(written: str, expected: datetime) -> None:
    statement = dialect.parse_select("SELECT count(*) FROM mine.o FOR TIMESTAMP AS OF ?".replace("?", written))
    fixed = at_fixed_times(statement, datetime(2026, 11, 22, 12, tzinfo=UTC))
    [reference] = references(fixed).values()
    assert reference.at == expected


def test_time_travel_from_the_current_time_runs(home: StatementHome) -> None:
    with pytest.raises(NotFoundError, match=r"mine\.o has no version at 20"):
        home.rows("SELECT count(*) FROM mine.o FOR TIMESTAMP AS OF (current_timestamp - INTERVAL '900' WEEK)")
