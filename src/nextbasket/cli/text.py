"""Plain tables for the terminal."""

from collections.abc import Sequence

WIDEST = 60
"""No cell is printed wider than this many characters."""


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a head in aligned columns; columns of numbers stand to the right."""
    cells = [[_short(str(cell)) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *cells, strict=True)]
    right = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )


def _short(cell: str) -> str:
    flat = " ".join(cell.split())
    return flat if len(flat) <= WIDEST else flat[: WIDEST - 1] + "…"


def _is_number(cell: str) -> bool:
    return cell == "" or cell.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit()
