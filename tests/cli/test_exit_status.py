"""How a call ends: status 0, 1, 2 or 3, one sentence on stderr, no traceback without --debug."""

from pathlib import Path

import pytest

from tests.end_to_end.command import nextbasket


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["qery"], 2, "query"),
        (["sample", "--shoppers", "x", "--to", "y"], 2, "--shoppers"),
        (["sample", "--shoppers", "-1", "--to", "y"], 2, "--shoppers"),
        (["train", "--model", "finl"], 2, "there is no model 'finl'; the models are baseline, final"),
        (["run", "--json"], 2, "--home, --json and --debug stand before the command"),
        (["tables"], 1, "there is no shop home"),
        (["query", "SELECT 1", "--engine", "oracle"], 2, "there is no engine 'oracle'"),
        (["query", "SELECT 1", "--format", "xml"], 2, "there is no format 'xml'"),
        (["serve", "--port", "8000"], 3, "'nextbasket serve' is not built yet"),
        (["train", "--model", "final", "--fraction", "2"], 2, "--fraction"),
        (["run", "--source", "here", "--shoppers", "5"], 2, "use one of them"),
    ],
)
def test_status_and_sentence(tmp_path: Path, words: list[str], status: int, said: str) -> None:
    done = nextbasket(tmp_path / "home", *words, status=status)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "home").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = nextbasket(tmp_path / "home", "--debug", "tables", status=1)
    assert "Traceback" in done.stderr
