"""Settings are checked at once and name what is wrong."""

from pathlib import Path

import pytest

from nextbasket.app.settings import Settings, read_settings
from nextbasket.errors import HomeError


def test_a_home_without_the_file_has_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()


def test_values_are_read(tmp_path: Path) -> None:
    (tmp_path / "nextbasket.toml").write_text('seed = 7\n[engine]\nmemory_limit = "2GB"\n')
    settings = read_settings(tmp_path)
    assert (settings.seed, settings.engine.memory_limit) == (7, "2GB")


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "nextbasket.toml").write_text('sed = 7\n[engine]\nthreads = 0\n[model]\nsample_fraction = "x"\n')
    with pytest.raises(HomeError) as raised:
        read_settings(tmp_path)
    for name in ("sed", "engine.threads", "model.sample_fraction"):
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sed = 7", "  - sed: there is no such setting; did you mean seed?"),
        ("[engine]\nthread = 2", "  - engine.thread: there is no such setting; did you mean threads?"),
        ("[sample]\nzzz = 2", "  - sample.zzz: there is no such setting; known: shoppers"),
        ('[model]\nlive = "nosuch"', "  - model.live: there is no model 'nosuch'; known: baseline, final, and"),
        ('[model]\nlive = "final-lots"', "  - model.live: there is no model 'final-lots'; known: baseline, final, and"),
    ],
)
def test_a_fault_says_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "nextbasket.toml").write_text(text)
    with pytest.raises(HomeError) as raised:
        read_settings(tmp_path)
    assert said in str(raised.value)


@pytest.mark.parametrize("live", ["final", "baseline", "baseline-10pct", "final-0.5pct"])
def test_a_model_of_all_shoppers_or_of_a_sample_may_be_live(tmp_path: Path, live: str) -> None:
    (tmp_path / "nextbasket.toml").write_text(f'[model]\nlive = "{live}"\n')
    assert read_settings(tmp_path).model.live == live


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "nextbasket.toml").write_text("seed = = 1\n")
    with pytest.raises(HomeError, match=r"nextbasket\.toml is not valid TOML"):
        read_settings(tmp_path)
