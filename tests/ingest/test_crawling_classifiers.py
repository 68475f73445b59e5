"""What the settings say about a folder's files counts, and what they do not say is found out."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nextbasket.app.settings import read_settings
from nextbasket.errors import HomeError, InputError


def crawl(home: Any, settings: str, files: dict[str, str | bytes]) -> Any:
    """Lay files into landing, write the settings and crawl under them."""
    for key, content in files.items():
        path = Path(home.path) / "landing" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (home.path / "nextbasket.toml").write_text(settings)
    return home.crawl(read_settings(home.path).crawler.policy())


def columns(home: Any, table: str) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in home.catalog.table(f"landing.{table}").columns]


@pytest.mark.parametrize(
    ("settings", "content", "expected", "rows"),
    [
        ('delimiter = "~"', b"a~b\n1;2~3\n", [("a", "string"), ("b", "bigint")], [("1;2", 3)]),
        (
            "header = false",
            b"name,town\nann,rome\n",
            [("col0", "string"), ("col1", "string")],
            [("ann", "rome"), ("name", "town")],
        ),
        ("header = true", b"2024,2025\n1,2\n", [("2024", "bigint"), ("2025", "bigint")], [(1, 2)]),
        (
            'columns = ["Id", "Town"]\nheader = false',
            b"1,rome\n",
            [("id", "bigint"), ("town", "string")],
            [(1, "rome")],
        ),
        ('columns = ["id", "town"]', b"x,y\n1,rome\n", [("id", "bigint"), ("town", "string")], [(1, "rome")]),
        ('encoding = "cp1252"', b"id,name\n1,caf\xe9\n", [("id", "bigint"), ("name", "string")], [(1, "caf\u00e9")]),
        ('quote = "\'"', b"id,name\n1,'a, b'\n", [("id", "bigint"), ("name", "string")], [(1, "a, b")]),
        ('types = { id = "string", N = "double" }', b"id,n\n1,2\n", [("id", "string"), ("n", "double")], [("1", 2.0)]),
    ],
)
def test_each_setting_counts(
    home: Any, settings: str, content: bytes, expected: list[tuple[str, str]], rows: list[tuple[Any, ...]]
) -> None:
    crawl(home, f"[crawler.tables.things]\n{settings}\n", {"things/x.csv": content})
    assert columns(home, "things") == expected
    assert sorted(home.rows("SELECT * FROM landing.things")) == rows


def test_a_format_says_what_files_of_any_name_are(home: Any) -> None:
    crawl(home, '[crawler.tables.things]\nformat = "csv"\n', {"things/x.dat": "id,day\n1,2026-11-22\n"})
    assert home.rows("SELECT id, day FROM landing.things") == [(1, date(2026, 11, 22))]


def test_new_settings_have_their_files_read_again_and_no_others(home: Any) -> None:
    files: dict[str, str | bytes] = {"things/x.csv": "a,b\n1,2\n", "others/x.csv": "c,d\n1,2\n"}
    assert crawl(home, "", files).read == 2
    again = crawl(home, "[crawler.tables.things]\nheader = false\n", {})
    assert again.read == 1
    assert columns(home, "things") == [("col0", "string"), ("col1", "string")]
    # Types are the table's, not the files': nothing is read for them.
    typed = crawl(home, '[crawler.tables.things]\nheader = false\ntypes = { col9 = "date", col0 = "char(3)" }\n', {})
    assert typed.read == 0
    assert columns(home, "things") == [("col0", "char(3)"), ("col1", "string")]
    things = next(table for table in typed.tables if table.name == "landing.things")
    assert things.notes == ("the setting crawler.tables gives a type to the column col9, which no file has",)


def test_names_for_another_number_of_columns_leave_the_file_out(home: Any) -> None:
    report = crawl(home, '[crawler.tables.things]\ncolumns = ["a"]\n', {"things/x.csv": "1,2\n"})
    assert report.tables == ()
    assert report.unread == ("landing/things/x.csv: it has 2 columns, and the setting crawler.tables names 1",)


def test_all_faults_of_the_settings_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "nextbasket.toml").write_text(
        '[crawler]\ndelete = "KEEP"\n[crawler.tables.a]\ndelimter = ";"\nencoding = "utf-99"\n'
        '[crawler.tables.b]\ntypes = { x = "number" }\n[crawler.tables.c]\ncolumns = ["x", "X"]\n'
    )
    with pytest.raises(HomeError) as raised:
        read_settings(tmp_path)
    for text in (
        "crawler.delete",
        "crawler.tables.a.delimter: there is no such setting; did you mean delimiter?",
        "there is no encoding 'utf-99'",
        "crawler.tables.b.types.x",
        "columns must name each column, and none twice",
    ):
        assert text in str(raised.value), text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("amount,id\n5,2\n", "x2.csv has the column amount where its table knows id: run nextbasket crawl again"),
        ("id,amount,new\n2,5,1\n", "x2.csv has 3 columns where its table knows 2: run nextbasket crawl again"),
        (
            "id,amount\n2,much\n",
            "x2.csv, line 2: 'much' is no bigint, the type of column amount.*types.amount = \"string\"",
        ),
    ],
)
def test_a_file_that_came_after_the_crawl_is_not_read_wrongly(home: Any, content: str, message: str) -> None:
    crawl(home, "", {"things/x.csv": "id,amount\n1,10\n"})
    (home.path / "landing/things/x2.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        home.rows("SELECT id, amount FROM landing.things ORDER BY id")
    home.crawl()
    assert home.rows("SELECT id FROM landing.things ORDER BY id") == [(1,), (2,)]


def test_a_value_that_no_sample_saw_is_an_error_with_its_line(home: Any) -> None:
    """The odd value stands between the places that are looked at, in a file of 6.5 MB."""
    lines = [f"{number:07},{number % 9:04}\n".replace(",0", ",1") for number in range(500_000)]
    lines[30_000] = "0030000,oops\n"
    crawl(home, "", {"things/x.csv": "id,amount\n" + "".join(lines)})
    assert columns(home, "things")[1] == ("amount", "bigint")
    with pytest.raises(InputError, match=r"things/x\.csv, line 30002: 'oops' is no bigint"):
        home.rows("SELECT sum(amount) FROM landing.things")
