import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nextbasket.app.shop import new_id, open_shop

TINY_SHOP = Path(__file__).parents[1] / "fixtures" / "tiny_shop"
TABLES = ("aisles", "departments", "products", "orders", "order_products__prior", "order_products__train")


def make_tiny_home(home: Path) -> None:
    source = home.parent / f"source-{new_id()}"
    source.mkdir()
    for name in TABLES:
        shutil.copy(TINY_SHOP / f"{name}.csv", source)
    with open_shop(home, create=True) as shop:
        shop.landing.land([source])
        shop.crawler.crawl()
        shop.loader.load(f"load-{new_id()}")


@pytest.fixture(scope="module")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that holds the tiny shop; tests must not change it."""
    home = tmp_path_factory.mktemp("tiny") / "home"
    make_tiny_home(home)
    return home


@pytest.fixture
def make_home() -> Callable[[Path], None]:
    """Return what lands, crawls and loads the tiny shop into a home."""
    return make_tiny_home
