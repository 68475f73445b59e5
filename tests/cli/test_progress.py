"""Progress says enough and not too much."""

import pytest

from nextbasket.cli.session import LineProgress


def test_a_quick_row_of_messages_is_thinned(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 0.1, 0.2, 1.2, 1.3])
    progress = LineProgress("train", clock=lambda: next(times))
    for done in (0.2, 0.4, 0.6, 0.8, 1.0):
        progress(f"round {done}", done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: round 0.2", "train: round 0.8", "train: round 1.0"]


def test_messages_without_a_fraction_are_all_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LineProgress("crawl", clock=lambda: 0.0)
    for message in ("aisles", "aisles", "orders"):
        progress(message, None)
    assert capsys.readouterr().err.splitlines() == ["crawl: aisles", "crawl: orders"]
