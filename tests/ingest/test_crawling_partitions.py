"""Partitions: found in folders, typed, and read only where a query asks for them."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nextbasket.ingest.partitions import partition_columns


def put(home: Any, files: dict[str, str]) -> None:
    for key, content in files.items():
        path = Path(home.path) / "landing" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ([["dt=2026-11-21"], ["dt=2026-11-22"]], [("dt", "date")]),
        ([["dt=2026-11-21"], ["dt=latest"]], [("dt", "string")]),
        ([["dt=2026-02-30"]], [("dt", "string")]),
        ([["year=2026", "month=01"], ["year=2026", "month=12"]], [("year", "bigint"), ("month", "string")]),
        ([["Store=a%20b"]], [("store", "string")]),
        ([["n=1"], ["n=__HIVE_DEFAULT_PARTITION__"]], [("n", "bigint")]),
        ([["2026", "11"], ["2025", "9"]], [("partition_0", "bigint"), ("partition_1", "bigint")]),
        ([["eu", "dt=2026-11-22"], ["us", "dt=2026-11-22"]], [("partition_0", "string"), ("dt", "date")]),
        ([[], ["2026"]], [("partition_0", "bigint")]),
        ([[]], []),
    ],
)
def test_folders_give_typed_keys(folders: list[list[str]], expected: list[tuple[str, str]]) -> None:
    assert [(column.name, column.type) for column in partition_columns(folders)] == expected


def test_a_query_reads_hive_and_plain_folders(home: Any) -> None:
    put(
        home,
        {
            "sales/eu/dt=2026-11-21/a.csv": "id\n1\n",
            "sales/eu/dt=2026-11-22/a.csv": "id\n2\n",
            "sales/us/dt=2026-11-22/a.csv": "id\n3\n",
            "sales/loose.csv": "id\n4\n",
        },
    )
    home.crawl()
    assert home.rows("SELECT id, partition_0, dt FROM landing.sales ORDER BY id") == [
        (1, "eu", date(2026, 11, 21)),
        (2, "eu", date(2026, 11, 22)),
        (3, "us", date(2026, 11, 22)),
        (4, None, None),
    ]


def test_a_column_that_the_files_hold_too_is_the_folder_s(home: Any) -> None:
    put(home, {"sales/day=2026-11-21/a.csv": "id,day\n1,wrong\n", "sales/day=2026-11-22/a.csv": "id,day\n2,wrong\n"})
    (table,) = home.crawl().tables
    assert table.notes == ("the files hold the column day, too: the folder's value is read",)
    assert home.rows("SELECT id, day FROM landing.sales ORDER BY id") == [
        (1, date(2026, 11, 21)),
        (2, date(2026, 11, 22)),
    ]


def test_a_new_column_does_not_break_older_partitions(home: Any) -> None:
    put(home, {"sales/dt=2026-11-21/a.csv": "id\n1\n"})
    home.crawl()
    put(home, {"sales/dt=2026-11-22/a.csv": "brand,id\nx,2\n"})
    home.crawl()
    assert home.rows("SELECT dt, id, brand FROM landing.sales ORDER BY id") == [
        (date(2026, 11, 21), 1, None),
        (date(2026, 11, 22), 2, "x"),
    ]
    assert home.rows("SELECT brand FROM landing.sales WHERE dt = DATE '2026-11-21'") == [(None,)]


def test_files_of_one_content_keep_their_own_partitions(home: Any) -> None:
    put(home, {f"sales/{folder}/{name}.csv": "day,x\n1.5,a\n" for folder in ("dt=1", "dt=2") for name in "ab"})
    home.crawl()
    assert home.rows("SELECT dt, count(*), sum(day) FROM landing.sales GROUP BY dt ORDER BY dt") == [
        (1, 2, 3.0),
        (2, 2, 3.0),
    ]
