"""The proof of a long test: lines that ``make soak`` writes, dated, under docs/proof/."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

PROOF = Path(__file__).parents[2] / "docs" / "proof"


@pytest.fixture(scope="session")
def proof_lines() -> Iterator[list[str]]:
    """Collect lines over the session and write them at its end, even when tests failed."""
    lines: list[str] = []
    began = datetime.now(UTC)
    yield lines
    if not lines:
        return
    PROOF.mkdir(parents=True, exist_ok=True)
    head = [
        f"# make soak, {began:%Y-%m-%d}",
        "",
        f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, {platform.machine()}. "
        "All data is generated.",
        "",
    ]
    (PROOF / f"soak-{began:%Y-%m-%d}.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


@pytest.fixture
def proof(proof_lines: list[str]) -> Callable[[str], None]:
    """Add a line to the proof."""
    return proof_lines.append
