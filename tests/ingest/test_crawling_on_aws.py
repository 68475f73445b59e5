"""A crawl of a bucket into Glue finds what a crawl of a folder into the local catalog finds (on moto's server)."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextbasket.catalog.base import Catalog
from nextbasket.catalog.glue import GlueCatalog
from nextbasket.catalog.local import LocalCatalog
from nextbasket.ingest.crawl import Crawler
from nextbasket.lake.base import Lake, Zone
from nextbasket.lake.local import LocalLake
from nextbasket.lake.s3 import Place, S3Lake, places
from nextbasket.lake.s3_documents import S3Documents

FILES = {
    "sales/dt=2026-11-21/a b.csv": "id,amount\n1,10\n",
    "sales/dt=2026-11-22/a.csv": "brand;id;amount\nx;2;20\n",
    "mixed/ids.csv": "id,name\n1,x\n",
    "mixed/prices.csv": "sku,price\nk,5\n",
    "mixed/readme.md": "hello",
    "regions/eu/2026/x.jsonl": '{"region": 1}\n',
}
LATER = {"sales/dt=latest/a.csv": "id,amount,note\n3,30.5,n\n"}


def now() -> datetime:
    return datetime.now(UTC)


def test_glue_and_s3_get_what_the_local_catalog_and_a_folder_get(tmp_path: Path, aws: Any) -> None:
    bucket = aws.bucket()
    folder = LocalLake(tmp_path, now)
    cloud = S3Lake(aws.access, places(bucket, "shop"), now)
    documents = S3Documents(aws.access, Place(bucket, "shop/catalog"))
    pairs: list[tuple[Lake, Catalog]] = [
        (folder, LocalCatalog(tmp_path, folder, now)),
        (cloud, GlueCatalog(aws.access, cloud, documents, now, prefix=f"{bucket}_")),
    ]

    def crawled(files: dict[str, str]) -> list[Any]:
        found = []
        for lake, catalog in pairs:
            for key, text in files.items():
                lake.put(Zone.LANDING, key, io.BytesIO(text.encode()))
            report = Crawler(lake, catalog, catalog, clock=now).crawl()
            definitions = [
                (one.full_name, one.columns, one.partition_keys, one.format, dict(one.parameters))
                for one in catalog.tables("landing")
            ]
            locations = [lake.locate(one.location) for one in catalog.tables("landing")]
            found.append((report.as_json(), definitions, locations))
        return found

    for files, read in ((FILES, 5), ({}, 0), (LATER, 1)):
        local, glue = crawled(files)
        assert glue == local
        assert local[0]["files_read"] == read
    assert [table["differences"] for table in local[0]["tables"] if table["changed"]] == [
        ["+ column note string", "~ column amount: bigint -> double", "~ partition key dt: date -> string"]
    ]
