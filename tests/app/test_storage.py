"""Which lake and catalog the settings make, and which settings are refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nextbasket.app.settings import read_settings
from nextbasket.app.storage import Storage
from nextbasket.catalog.glue import GlueCatalog
from nextbasket.catalog.local import LocalCatalog
from nextbasket.errors import HomeError
from nextbasket.lake.base import Zone
from nextbasket.lake.local import LocalLake
from nextbasket.lake.s3 import S3Lake


def storage(home: Path, settings: str = "") -> Storage:
    (home / "nextbasket.toml").write_text(settings)
    return Storage(home, read_settings(home), lambda: datetime.now(UTC))


def test_a_home_without_settings_keeps_everything_in_itself(tmp_path: Path) -> None:
    made = storage(tmp_path)
    assert isinstance(made.lake, LocalLake)
    assert isinstance(made.catalog, LocalCatalog)
    assert made.s3_files is None
    assert made.lake.uri(Zone.LANDING) == str(tmp_path / "landing")


def test_s3_and_glue_are_made_from_their_settings_without_a_word_to_them(tmp_path: Path) -> None:
    # Nobody listens there: making them asks nothing of anyone.
    made = storage(
        tmp_path,
        """
        [lake]
        kind = "s3"
        bucket = "my-shop"
        prefix = "daily/"
        region = "eu-central-1"
        endpoint = "http://127.0.0.1:1"
        [lake.zones.landing]
        bucket = "my-raw-files"
        prefix = "orders"
        [lake.zones.results]
        prefix = "answers"
        [catalog]
        kind = "glue"
        prefix = "myshop_"
        """,
    )
    assert isinstance(made.lake, S3Lake)
    assert isinstance(made.catalog, GlueCatalog)
    assert made.s3_files is not None
    places = {zone: made.lake.uri(zone) for zone in (Zone.LANDING, Zone.WAREHOUSE, Zone.RESULTS)}
    assert places == {
        Zone.LANDING: "s3://my-raw-files/orders",
        Zone.WAREHOUSE: "s3://my-shop/daily/warehouse",
        Zone.RESULTS: "s3://my-shop/answers",
    }


def test_files_may_be_on_s3_and_tables_in_the_home(tmp_path: Path) -> None:
    made = storage(tmp_path, '[lake]\nkind = "s3"\nbucket = "my-shop"\nendpoint = "http://127.0.0.1:1"')
    assert isinstance(made.lake, S3Lake)
    assert isinstance(made.catalog, LocalCatalog)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[lake]\nkind = "s3"', "lake: .*a lake on S3 needs a bucket"),
        ('[lake]\nbucket = "my-shop"', r'lake: .*bucket only count for a lake on S3: set kind = "s3"'),
        ('[catalog]\nprefix = "a_"', r'catalog: .*prefix only count for Glue: set kind = "glue"'),
        ('[lake]\nkind = "s3"\nbucket = "My Shop"', r"lake\.bucket: "),
        ('[lake]\nkind = "s3"\nbucket = "my-shop"\nendpoint = "localhost:9000"', r"lake\.endpoint: "),
        ('[lake]\nkind = "s3"\nbucket = "my-shop"\n[lake.zones.land]\nprefix = "a"', r"lake\.zones\.land"),
        ('[catalog]\nkind = "glue"', "tables in Glue need their files on S3"),
        (
            '[lake]\nkind = "s3"\nbucket = "my-shop"\n[lake.zones.landing]\nprefix = "warehouse/raw"\n'
            '[catalog]\nkind = "glue"',
            "zones landing .* and warehouse .* overlap",
        ),
    ],
)
def test_settings_at_fault_are_named(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(HomeError, match=words):
        storage(tmp_path, settings)
