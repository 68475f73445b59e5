"""Statements of a home whose files are on S3 and whose tables are in Glue. Run against moto only."""

from pathlib import Path

import pytest

from nextbasket.app.shop import Shop, open_shop
from nextbasket.errors import QueryError
from nextbasket.lake.base import Zone

from ..aws_server import REGION, AwsServer

pytestmark = pytest.mark.slow


def test_statements_that_write_on_s3(aws: AwsServer, tmp_path: Path) -> None:
    bucket = aws.bucket()
    home = tmp_path / "shop"
    home.mkdir()
    (home / "nextbasket.toml").write_text(
        f"""
        [lake]
        kind = "s3"
        bucket = "{bucket}"
        region = "{REGION}"
        endpoint = "{aws.endpoint}"
        [catalog]
        kind = "glue"
        prefix = "{bucket.replace("-", "_")}_"
        """
    )
    shop = open_shop(home)

    def rows(sql: str) -> list[tuple]:
        return _rows(shop, sql)

    files = """CREATE TABLE mine.f WITH (external_location = 's3://b/f/') AS
        SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)"""
    assert rows(files) == [(2,)]
    assert rows("INSERT INTO mine.f VALUES (3, 'c')") == [(1,)]
    assert rows("SELECT * FROM mine.f ORDER BY n") == [(1, "a"), (2, "b"), (3, "c")]
    assert not any("_unfinished" in ref.key for ref in shop.lake.list(Zone.EXCHANGE))
    assert list(shop.lake.list(Zone.WAREHOUSE)) == []
    assert rows("CREATE TABLE mine.i WITH (table_type = 'ICEBERG') AS SELECT n, t FROM mine.f") == [(3,)]
    assert rows("UPDATE mine.i SET t = concat(t, '!') WHERE n > 1") == [(2,)]
    assert rows("DELETE FROM mine.i WHERE n = 3") == [(1,)]
    assert rows(
        "MERGE INTO mine.i t USING mine.f s ON t.n = s.n WHEN MATCHED AND s.n = 1 THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT (n, t) VALUES (s.n, s.t)"
    ) == [(2,)]
    rows("CREATE VIEW mine.v AS SELECT n AS number, t FROM mine.i")
    assert rows("SELECT * FROM mine.v ORDER BY number") == [(2, "b!"), (3, "c")]
    uri, count = shop.workgroup.execute_and_save("SELECT number FROM mine.v ORDER BY 1")
    assert count == 2
    assert uri.startswith(f"s3://{bucket}/results/queries/")
    rows("DROP TABLE mine.f")
    with pytest.raises(QueryError, match="already holds files"):
        rows(files)
    rows("DROP VIEW mine.v")
    assert rows("SHOW TABLES IN mine") == [("i",)]


def _rows(shop: Shop, sql: str) -> list[tuple]:
    handle = shop.workgroup.execute(sql)
    return [tuple(row.values()) for batch in handle.batches() for row in batch.to_pylist()]
