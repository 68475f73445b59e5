"""What only the lake on S3 does; what every lake does is in tests/conformance. Run against moto only."""

import io
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nextbasket.errors import HomeError, InputError, MissingExtraError, NotFoundError
from nextbasket.lake.aws_access import AwsAccess
from nextbasket.lake.base import Zone
from nextbasket.lake.s3 import PART_BYTES, Place, S3Lake, places
from nextbasket.lake.s3_documents import S3Documents

from ..aws_server import REGION, AwsServer

LONG_AGO = timedelta(days=36_500)


def now() -> datetime:
    return datetime.now(UTC)


pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def bucket(aws: AwsServer) -> str:
    return aws.bucket()


@pytest.fixture
def lake(aws: AwsServer, bucket: str) -> S3Lake:
    return S3Lake(aws.access, places(bucket, "shop"), now)


def unfinished(aws: AwsServer, bucket: str) -> list[str]:
    found = aws.access.s3.list_multipart_uploads(Bucket=bucket)
    return [upload["Key"] for upload in found.get("Uploads", ())]


class Bytes(io.RawIOBase):
    """A stream of ``size`` bytes that cannot be sought, gives them in odd pieces, and may fail before their end."""

    def __init__(self, size: int, fails_at: int | None = None) -> None:
        self._left = size
        self._given = 0
        self._fails_at = fails_at

    def read(self, size: int = -1) -> bytes:
        if self._fails_at is not None and self._given >= self._fails_at:
            raise ConnectionError("gone")
        piece = min(self._left, 1_000_003 if size < 0 else min(size, 1_000_003))
        self._left -= piece
        self._given += piece
        return bytes(piece)


def test_a_file_of_several_parts_is_whole(aws: AwsServer, bucket: str, lake: S3Lake) -> None:
    size = PART_BYTES * 2 + 5
    ref = lake.put(Zone.LANDING, "orders/large.csv", Bytes(size))  # type: ignore[arg-type] # a stream that only reads
    assert ref.size == size
    assert unfinished(aws, bucket) == []
    with lake.open(ref) as file:
        file.seek(PART_BYTES - 2)
        assert file.read(4) == bytes(4)
        assert file.seek(0, io.SEEK_END) == size


def test_an_upload_in_parts_that_fails_is_aborted(aws: AwsServer, bucket: str, lake: S3Lake) -> None:
    broken = Bytes(PART_BYTES * 3, fails_at=PART_BYTES + 1)
    with pytest.raises(ConnectionError):
        lake.put(Zone.LANDING, "orders/large.csv", broken)  # type: ignore[arg-type] # a stream that only reads
    assert unfinished(aws, bucket) == []
    assert list(lake.list(Zone.LANDING)) == []


def test_an_upload_whose_writer_was_killed_is_unseen_and_swept_by_age(
    aws: AwsServer, bucket: str, lake: S3Lake
) -> None:
    client = aws.access.s3
    for key in ("shop/landing/orders/a.csv", "another shop/a.csv"):
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"1\n" * 10)
    assert list(lake.list(Zone.LANDING)) == []
    # moto tells the year 2010 as the beginning of every upload.
    assert lake.sweep(LONG_AGO, ()) == []
    [swept] = lake.sweep(timedelta(days=1), ())
    assert swept.startswith(f"s3://{bucket}/shop/landing/orders/a.csv?uploadId=")
    assert unfinished(aws, bucket) == ["another shop/a.csv"]


def test_a_file_replaced_while_it_is_read_is_never_mixed(lake: S3Lake) -> None:
    ref = lake.put(Zone.LANDING, "orders/a.csv", io.BytesIO(b"1" * 1_000_000))
    with lake.open(ref) as file:
        assert file.read(10) == b"1" * 10
        lake.put(Zone.LANDING, "orders/a.csv", io.BytesIO(b"2" * 1_000_000))
        with pytest.raises(NotFoundError, match="replaced or deleted while it was read"):
            file.read()


def test_zones_may_lie_in_buckets_of_their_own(aws: AwsServer, bucket: str) -> None:
    raw = aws.bucket()
    lake = S3Lake(aws.access, places(bucket, "", {Zone.LANDING: Place(raw, "raw/orders/")}), now)
    ref = lake.put(Zone.LANDING, "a.csv", io.BytesIO(b"x"))
    assert ref.uri == f"s3://{raw}/raw/orders/a.csv"
    assert lake.locate(ref.uri) == (Zone.LANDING, "a.csv")
    assert lake.uri(Zone.WAREHOUSE) == f"s3://{bucket}/warehouse"
    with pytest.raises(NotFoundError, match="not in the lake"):
        lake.locate(f"s3://{raw}/raw/orders-old/a.csv")


def test_zones_inside_one_another_are_refused(aws: AwsServer, bucket: str) -> None:
    with pytest.raises(HomeError, match=r"zones landing .* and warehouse .* overlap"):
        S3Lake(aws.access, places(bucket, "", {Zone.LANDING: Place(bucket, "warehouse/raw")}), now)


def test_what_other_programs_put_there_is_listed_or_named(aws: AwsServer, bucket: str, lake: S3Lake) -> None:
    for name in ("orders/a.csv", "orders/", "orders/.hidden/b.csv"):
        aws.access.s3.put_object(Bucket=bucket, Key=f"shop/landing/{name}", Body=b"")
    assert [ref.key for ref in lake.list(Zone.LANDING)] == ["orders/a.csv"]
    aws.access.s3.put_object(Bucket=bucket, Key="shop/landing/orders/b*.csv", Body=b"")
    with pytest.raises(InputError, match=r"orders/b\*\.csv"):
        list(lake.list(Zone.LANDING))


def test_more_files_than_one_answer_holds_are_listed_and_swept(aws: AwsServer, bucket: str, lake: S3Lake) -> None:
    # S3 answers with at most 1,000 names and deletes at most 1,000 at once.
    names = [f"data/run/{number:04}.parquet" for number in range(1_003)]
    aws.fill(bucket, [f"shop/warehouse/{name}" for name in names])
    assert [ref.key for ref in lake.list(Zone.WAREHOUSE)] == names
    assert len(lake.sweep(timedelta(days=-1), ())) == 1_003
    assert list(lake.list(Zone.WAREHOUSE)) == []


def test_a_name_too_long_for_s3_is_refused(lake: S3Lake) -> None:
    with pytest.raises(InputError, match="at most 1024 bytes"):
        lake.put(Zone.LANDING, "ö" * 600, io.BytesIO(b""))


def test_a_bucket_that_is_not_there_is_one_sentence(aws: AwsServer) -> None:
    lake = S3Lake(aws.access, places("no-such-bucket-here"), now)
    with pytest.raises(HomeError, match=r"no bucket for s3://no-such-bucket-here/landing/a\.csv: create it"):
        lake.put(Zone.LANDING, "a.csv", io.BytesIO(b""))
    with pytest.raises(HomeError, match="no bucket for s3://no-such-bucket-here/landing/"):
        list(lake.list(Zone.LANDING))


def test_an_endpoint_that_does_not_answer_is_one_sentence() -> None:
    # Nobody listens on port 1 of this machine.
    lake = S3Lake(AwsAccess("http://127.0.0.1:1", REGION), places("bucket"), now)
    with pytest.raises(HomeError, match=r"cannot write s3://bucket/landing/a\.csv: Could not connect"):
        lake.put(Zone.LANDING, "a.csv", io.BytesIO(b""))


def test_no_credentials_are_one_sentence(aws: AwsServer, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    access = AwsAccess(aws.endpoint, REGION)
    lake = S3Lake(access, places(bucket), now)
    with pytest.raises(HomeError, match="no AWS credentials: give them as for the AWS CLI"):
        lake.put(Zone.LANDING, "a.csv", io.BytesIO(b""))
    with pytest.raises(HomeError, match="no AWS credentials: give them as for the AWS CLI"):
        access.filesystem()


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nextbasket\[aws\]'"):
        AwsAccess()


# --- documents


def test_a_document_is_changed_from_its_newest_version(aws: AwsServer, bucket: str) -> None:
    documents = S3Documents(aws.access, Place(bucket, "shop/catalog"))
    assert documents.get("state/a b/ü") is None
    documents.put("state/a b/ü", "one")
    seen: list[Any] = []

    def edit(text: str | None) -> str:
        seen.append(text)
        if len(seen) == 1:
            documents.put("state/a b/ü", "two")  # another program, between reading and writing
        return f"{text}, three"

    documents.change("state/a b/ü", edit)
    assert seen == ["one", "two"]
    assert documents.get("state/a b/ü") == "two, three"


def test_a_new_document_does_not_overwrite_one_that_came_first(aws: AwsServer, bucket: str) -> None:
    documents = S3Documents(aws.access, Place(bucket, "shop/catalog"))
    seen: list[Any] = []

    def edit(text: str | None) -> str:
        seen.append(text)
        if len(seen) == 1:
            documents.put("commits/x.json", "first")
        return "second" if text is None else f"{text}, then second"

    documents.change("commits/x.json", edit)
    assert seen == [None, "first"]
    assert documents.get("commits/x.json") == "first, then second"
