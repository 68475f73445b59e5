"""Only new and changed files are opened, however many there are."""

import os
from pathlib import Path
from typing import Any

from nextbasket.ingest.crawl import Crawler, CrawlReport


class CountingLake:
    """The home's lake, noting what is opened."""

    def __init__(self, lake: Any) -> None:
        self._lake = lake
        self.opened: list[str] = []

    def open(self, ref: Any) -> Any:
        self.opened.append(ref.key)
        return self._lake.open(ref)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)


def crawl(home: Any) -> tuple[CrawlReport, list[str]]:
    lake = CountingLake(home.lake)
    report = Crawler(lake, home.catalog, home.catalog, clock=home.clock).crawl()
    return report, lake.opened


def test_ten_thousand_unchanged_files_are_not_opened(home: Any) -> None:
    folder = Path(home.path) / "landing/sales"
    for month in range(100):
        (folder / f"dt=2026-{month:02}").mkdir(parents=True)
        for day in range(100):
            (folder / f"dt=2026-{month:02}/{day}.csv").write_bytes(b"id,amount\n1,2\n")
    first, opened = crawl(home)
    assert len(opened) == first.read == 10_000
    assert [(table.name, table.files) for table in first.tables] == [("landing.sales", 10_000)]

    again, opened = crawl(home)
    assert opened == []
    assert again.read == 0
    assert not again.tables[0].drift

    (folder / "dt=2026-05/7.csv").write_bytes(b"id,amount,new\n1,2,3\n")
    (folder / "dt=2026-05/fresh.csv").write_bytes(b"id,amount\n1,2\n")
    (folder / "dt=2026-06/9.csv").unlink()
    third, opened = crawl(home)
    assert opened == ["sales/dt=2026-05/7.csv", "sales/dt=2026-05/fresh.csv"]
    assert third.tables[0].files == 10_000
    assert third.tables[0].differences == ("+ column new bigint",)
    # A run of ten thousand files needs a few lines, not ten thousand.
    assert sum(map(len, home.catalog.table("landing.sales").parameters.values())) < 3_000


def test_a_file_with_new_content_of_the_same_size_is_opened(home: Any) -> None:
    path = Path(home.path) / "landing/sales/1.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a\n1\n")
    crawl(home)
    path.write_text("a\nx\n")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))
    _, opened = crawl(home)
    assert opened == ["sales/1.csv"]
    assert home.catalog.table("landing.sales").columns[0].type == "string"


def test_a_large_file_is_looked_at_in_a_few_places(home: Any) -> None:
    """The one price with a point stands near the end; all lines are 13 bytes long."""
    path = Path(home.path) / "landing/sales/1.csv"
    path.parent.mkdir(parents=True)
    lines = [f"{number:06},{number % 90_000 + 10_000}\n" for number in range(300_000)]
    lines[-2000] = "298000,1.545\n"
    path.write_text("id,pricecents\n" + "".join(lines))
    read = 0

    class MeasuringLake(CountingLake):
        def open(self, ref: Any) -> Any:
            stream = super().open(ref)
            original = stream.read

            class Measured:
                def read(self, size: int = -1) -> bytes:
                    nonlocal read
                    block: bytes = original(size)
                    read += len(block)
                    return block

                def __getattr__(self, name: str) -> Any:
                    return getattr(stream, name)

                def __enter__(self) -> Any:
                    return self

                def __exit__(self, *_: object) -> None:
                    stream.close()

            return Measured()

    Crawler(MeasuringLake(home.lake), home.catalog, home.catalog, clock=home.clock).crawl()
    assert path.stat().st_size == 3_900_014
    assert read < 900_000
    types = {column.name: column.type for column in home.catalog.table("landing.sales").columns}
    assert types["pricecents"] == "double"


def test_progress_says_how_many_files_of_how_many(home: Any) -> None:
    folder = Path(home.path) / "landing/sales"
    folder.mkdir(parents=True)
    for number in range(250):
        (folder / f"{number:03}.csv").write_text("id\n1\n")
    said: list[tuple[str, float | None]] = []
    crawler = Crawler(home.lake, home.catalog, home.catalog, clock=home.clock)
    crawler.crawl(lambda message, fraction: said.append((message, fraction)))
    assert said == [
        ("crawling sales", 0.0),
        ("crawling sales: 100 of 250 files", 0.396),
        ("crawling sales: 200 of 250 files", 0.796),
        ("crawled", 1.0),
    ]


def test_files_without_a_header_are_looked_at_again_only_when_a_header_is_new(home: Any) -> None:
    folder = Path(home.path) / "landing/people"
    folder.mkdir(parents=True)
    (folder / "1.csv").write_text("name,town\nbob,town\n")
    (folder / "2.csv").write_text("7,8,9\n")
    assert sorted(crawl(home)[1]) == ["people/1.csv", "people/2.csv"]
    assert crawl(home)[1] == []
    (folder / "3.csv").write_text("name,town\nann,rome\n")
    report, opened = crawl(home)
    assert sorted(opened) == ["people/1.csv", "people/2.csv", "people/3.csv"]
    assert report.read == 3
    assert home.rows("SELECT name, town FROM landing.people ORDER BY name") == [("ann", "rome"), ("bob", "town")]
    (folder / "4.csv").write_text("name,town\neve,oslo\n")
    assert crawl(home)[1] == ["people/4.csv"]
