"""One gigabyte in one file: landed, crawled and queried with the exact sums, in bounded memory."""

import resource
from decimal import Decimal
from typing import Any

import pytest

GIGABYTE = 10**9
BLOCK_ROWS = 100_000


@pytest.mark.soak
@pytest.mark.parametrize("quoted", [False, True])
def test_a_gigabyte_in_one_file_is_read_whole(home: Any, quoted: bool) -> None:
    # The quoted form has delimiters and quotes in its values; the other one is read where it lies.
    if quoted:
        lines = [f'{row},{row % 1000},"item, ""x"" {row % 7}"\n' for row in range(BLOCK_ROWS)]
    else:
        lines = [f"{row},{row % 1000}\n" for row in range(BLOCK_ROWS)]
    block = "".join(lines).encode()
    folder = home.folder / "source" / "big"
    folder.mkdir(parents=True)
    blocks = GIGABYTE // len(block) + 1
    with (folder / "a.csv").open("wb") as file:
        file.write(b"id,n,name\n" if quoted else b"id,n\n")
        for _ in range(blocks):
            file.write(block)

    home.land(folder.parent)
    home.crawl()
    columns = [(column.name, column.type) for column in home.catalog.table("landing.big").columns]
    assert columns == [("id", "bigint"), ("n", "bigint"), ("name", "string")][: 3 if quoted else 2]

    rows = blocks * BLOCK_ROWS
    (found,) = home.rows("SELECT COUNT(*), SUM(CAST(id AS decimal(38, 0))), SUM(n), MAX(n) FROM landing.big")
    ids = Decimal(blocks * BLOCK_ROWS * (BLOCK_ROWS - 1) // 2)
    assert found == (rows, ids, blocks * (BLOCK_ROWS // 1000) * 499_500, 999)
    if quoted:
        assert home.rows("SELECT MIN(name), MAX(name) FROM landing.big") == [('item, "x" 0', 'item, "x" 6')]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000
