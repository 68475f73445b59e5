"""Make the lake and the catalog that the settings name."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nextbasket.app.settings import Settings
from nextbasket.catalog.base import Catalog
from nextbasket.catalog.local import LocalCatalog
from nextbasket.errors import HomeError
from nextbasket.lake.base import Lake
from nextbasket.lake.local import LocalLake

if TYPE_CHECKING:
    from nextbasket.lake.aws_access import AwsAccess
    from nextbasket.query.s3_files import S3Files


class Storage:
    """The lake and the catalog of one home. ``clock`` returns an aware time.

    Raises HomeError for settings that do not go together, MissingExtraError where the extra ``aws`` is needed.
    """

    def __init__(self, home: Path, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock
        self._access = self._open_access()
        self.lake = self._open_lake()
        self.catalog = self._open_catalog()

    @property
    def s3_files(self) -> "Callable[[], S3Files] | None":
        """How DuckDB reaches the lake's files on S3; None for a lake on this machine."""
        access = self._access
        if access is None:
            return None
        from nextbasket.query.s3_files import S3Files

        return lambda: S3Files(access.filesystem())

    def _open_access(self) -> "AwsAccess | None":
        lake, catalog = self._settings.lake, self._settings.catalog
        if catalog.kind == "glue" and lake.kind != "s3":
            raise HomeError("tables in Glue need their files on S3: set the lake's kind to s3 in nextbasket.toml.")
        if lake.kind == "local":
            return None
        from nextbasket.lake.aws_access import AwsAccess

        return AwsAccess(lake.endpoint, lake.region, glue_endpoint=catalog.endpoint)

    def _open_lake(self) -> Lake:
        settings = self._settings.lake
        if self._access is None:
            return LocalLake(self._home, self._clock)
        from nextbasket.lake.s3 import Place, S3Lake, places

        bucket = settings.bucket or ""
        zones = {zone: Place(own.bucket or bucket, own.prefix) for zone, own in settings.zones.items()}
        return S3Lake(self._access, places(bucket, settings.prefix, zones), self._clock)

    def _open_catalog(self) -> Catalog:
        if self._access is None or self._settings.catalog.kind == "local":
            return LocalCatalog(self._home, self.lake, self._clock)
        from nextbasket.catalog.glue import GlueCatalog
        from nextbasket.lake.s3 import Place
        from nextbasket.lake.s3_documents import S3Documents

        settings = self._settings.lake
        prefix = settings.prefix.strip("/")
        place = Place(settings.bucket or "", f"{prefix}/catalog" if prefix else "catalog")
        documents = S3Documents(self._access, place)
        return GlueCatalog(self._access, self.lake, documents, self._clock, prefix=self._settings.catalog.prefix)
