"""The built wheel runs by itself: installed from the core lock in an empty environment outside the checkout."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST_MB = 550


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_wheel_runs_outside_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("nextbasket-*.whl")
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    uv = Path(sys.executable).with_name("uv")
    python = place / "bin" / "python"
    for what in (["--require-hashes", "-r", str(ROOT / "requirements.lock")], ["--no-deps", str(wheel)]):
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *what], check=True, timeout=900)

    installed = sum(path.stat().st_size for path in (place / "lib").rglob("*") if path.is_file()) / 1e6
    assert installed < LARGEST_MB, f"the core install takes {installed:.0f} MB"

    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [place / "bin" / "nextbasket", "--home", "shop", "run", "--shoppers", "60"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "The next basket of shopper" in done.stdout
