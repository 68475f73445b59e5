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


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "nextbasket.toml").write_text("seed = = 1\n")
    with pytest.raises(HomeError, match=r"nextbasket\.toml is not valid TOML"):
        read_settings(tmp_path)
