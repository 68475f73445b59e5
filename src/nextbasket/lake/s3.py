"""The lake on S3, at AWS or any other endpoint: a zone is a prefix in a bucket, a key is the rest of the object's name.

URIs are ``s3://bucket/name`` with the name as it is, nothing encoded. An object appears when its upload is complete,
never in part; an upload that was cut off is aborted, at once or by ``sweep``. Names that start with a dot are not
listed, nor are the empty objects with a slash at the end that some tools make for folders.
"""

import io
import posixpath
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nextbasket.errors import HomeError, InputError, NotFoundError
from nextbasket.lake.aws_access import AwsAccess, aws_errors, is_refusal
from nextbasket.lake.base import FileRef, Zone
from nextbasket.lake.keys import check_key, run_folder
from nextbasket.lake.s3_reader import S3Reader

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

PART_BYTES = 16 * 1024 * 1024
"""One part of an upload; S3 takes 10,000 of them, so that a file may have up to 160 GB."""

_LONGEST_NAME = 1024
_SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a zone is: a bucket, and the prefix of its objects' names without a slash at either end."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix``."""
        return f"{_SCHEME}{self.bucket}/{self.prefix}"


def places(bucket: str, prefix: str = "", zones: Mapping[Zone, Place] | None = None) -> dict[Zone, Place]:
    """Return the place of each zone: its own of ``zones``, else ``prefix/<zone>`` in ``bucket``."""
    base = prefix.strip("/")
    given = zones or {}
    return {
        zone: Place(given[zone].bucket, given[zone].prefix.strip("/"))
        if zone in given
        else Place(bucket, f"{base}/{zone.value}" if base else zone.value)
        for zone in Zone
    }


class S3Lake:
    """Zones as prefixes; ``clock`` returns an aware time and decides what is old enough to sweep.

    Raises HomeError when one zone lies inside another: a sweep of the outer one would delete the inner one.
    """

    def __init__(self, access: AwsAccess, zones: Mapping[Zone, Place], clock: Callable[[], datetime]) -> None:
        self._access = access
        self._zones = dict(zones)
        self._clock = clock
        for zone, place in self._zones.items():
            if not place.prefix:
                raise HomeError(f"the zone {zone.value} needs a prefix of its own in the bucket {place.bucket}.")
            check_key(place.prefix)
            for other, outer in self._zones.items():
                if other is not zone and f"{place.uri}/".startswith(f"{outer.uri}/"):
                    raise HomeError(
                        f"the zones {zone.value} ({place.uri}) and {other.value} ({outer.uri}) overlap; "
                        "give each a prefix of its own in nextbasket.toml."
                    )

    def put(self, zone: Zone, key: str, stream: BinaryIO) -> FileRef:
        """Store the stream under ``key``; readers see the whole file or none. An existing key is replaced.

        Raises InputError for a key that cannot name a file here, HomeError for what S3 refuses.
        """
        bucket, name = self._object(zone, key)
        uri = f"{_SCHEME}{bucket}/{name}"
        with aws_errors("write", uri):
            part = _next_part(stream)
            if len(part) < PART_BYTES:
                self._s3.put_object(Bucket=bucket, Key=name, Body=part)
            else:
                self._upload(bucket, name, part, stream)
        return self._head(zone, key)[0]

    def open(self, ref: FileRef) -> BinaryIO:
        """Open a stored file for reading, seekable; raises NotFoundError when it is gone."""
        bucket, name = self._object(ref.zone, ref.key)
        found, etag = self._head(ref.zone, ref.key)
        raw = S3Reader(self._s3, bucket, name, found.size, etag)
        return cast(BinaryIO, io.BufferedReader(raw, 64 * 1024))

    def list(self, zone: Zone, prefix: str = "") -> Iterator[FileRef]:
        """Yield the zone's files whose key starts with ``prefix``, ordered by key; hidden names are not shown.

        Raises InputError for a name that engines cannot open: skipping it would lose data silently.
        """
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        place = self._zones[zone]
        for entry in self._objects(place, prefix):
            key = entry["Key"][len(place.prefix) + 1 :]
            if key.endswith("/") or not key or any(part.startswith(".") for part in key.split("/")):
                continue
            check_key(key)
            yield self._ref(zone, key, entry["Size"], entry["LastModified"])

    def delete(self, ref: FileRef) -> None:
        """Remove a file; removing one that is gone is no error."""
        bucket, name = self._object(ref.zone, ref.key)
        with aws_errors("delete", ref.uri):
            self._s3.delete_object(Bucket=bucket, Key=name)

    def uri(self, zone: Zone, key: str = "") -> str:
        """Return the URI of a key, or of the whole zone, whether or not anything is there."""
        if not key:
            return self._zones[zone].uri
        bucket, name = self._object(zone, key)
        return f"{_SCHEME}{bucket}/{name}"

    def locate(self, uri: str) -> tuple[Zone, str]:
        """Return the zone and key of a URI; raises NotFoundError when it lies in no zone of this lake."""
        if uri.startswith(_SCHEME):
            # normpath collapses "..", so a path cannot leave its zone unseen.
            path = posixpath.normpath(uri.removeprefix(_SCHEME))
            for zone, place in self._zones.items():
                root = f"{place.bucket}/{place.prefix}"
                if path == root:
                    return zone, ""
                if path.startswith(f"{root}/"):
                    return zone, path[len(root) + 1 :]
        known = ", ".join(f"{zone.value} ({place.uri})" for zone, place in self._zones.items())
        raise NotFoundError(f"{uri} is not in the lake; its zones are {known}.")

    def filesystem(self, uri: str) -> "tuple[FileSystem, str]":
        """Return the file system and the path with which Arrow opens a URI."""
        return self._access.filesystem(), uri.removeprefix(_SCHEME)

    def iceberg_properties(self) -> Mapping[str, str]:
        """Return the properties with which pyiceberg opens this lake's files, with the credentials of this moment."""
        return self._access.iceberg_properties()

    def staging(self, run_id: str) -> str:
        """Return the URI of a fresh folder ``data/<run>/<unique>`` in the warehouse; S3 needs nothing made there."""
        return f"{self._zones[Zone.WAREHOUSE].uri}/data/{run_folder(run_id)}/{secrets.token_hex(8)}"

    def sweep(self, older_than: timedelta, keep: Collection[str]) -> Sequence[str]:
        """Delete warehouse files older than ``older_than`` whose URI is not in ``keep``; return what was deleted.

        ``keep`` must be complete: the catalog's ``referenced_files()``. Unfinished uploads of that age are aborted in
        every zone; of those the URI ends with ``?uploadId=…``.
        """
        before = self._clock() - older_than
        kept = keep if isinstance(keep, set | frozenset) else set(keep)
        deleted = [uri for zone in Zone for uri in self._abort_older(self._zones[zone], before)]
        place = self._zones[Zone.WAREHOUSE]
        old: list[str] = []
        for entry in self._objects(place):
            if entry["LastModified"] < before and f"{_SCHEME}{place.bucket}/{entry['Key']}" not in kept:
                old.append(entry["Key"])
        for start in range(0, len(old), 1000):
            self._delete_all(place.bucket, old[start : start + 1000])
        return sorted([*deleted, *(f"{_SCHEME}{place.bucket}/{name}" for name in old)])

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _s3(self) -> Any:
        return self._access.s3

    def _object(self, zone: Zone, key: str) -> tuple[str, str]:
        check_key(key)
        place = self._zones[zone]
        name = f"{place.prefix}/{key}"
        if len(name.encode()) > _LONGEST_NAME:
            raise InputError(f"{key!r} cannot be a key of the lake: S3 takes names of at most {_LONGEST_NAME} bytes.")
        return place.bucket, name

    def _ref(self, zone: Zone, key: str, size: int, modified: datetime) -> FileRef:
        # A listing may tell milliseconds where the object's own header tells seconds.
        return FileRef(
            zone, key, f"{self._zones[zone].uri}/{key}", size, modified.astimezone(UTC).replace(microsecond=0)
        )

    def _head(self, zone: Zone, key: str) -> tuple[FileRef, str]:
        from botocore.exceptions import ClientError

        bucket, name = self._object(zone, key)
        uri = f"{_SCHEME}{bucket}/{name}"
        with aws_errors("read", uri):
            try:
                found = self._s3.head_object(Bucket=bucket, Key=name)
            except ClientError as error:
                if is_refusal(error, "404", "NoSuchKey"):
                    raise NotFoundError(f"the file {uri} is gone; list the zone again.") from error
                raise
        return self._ref(zone, key, found["ContentLength"], found["LastModified"]), found["ETag"]

    def _objects(self, place: Place, prefix: str = "") -> Iterator[Mapping[str, Any]]:
        # The slash keeps out "landing-old/…" beside "landing/".
        start = f"{place.prefix}/{prefix}"
        with aws_errors("list", f"{_SCHEME}{place.bucket}/{start}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=start):
                yield from page.get("Contents", ())

    def _upload(self, bucket: str, name: str, part: bytes, stream: BinaryIO) -> None:
        upload = self._s3.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        where = {"Bucket": bucket, "Key": name, "UploadId": upload}
        try:
            etags: dict[int, str] = {}
            while part:
                number = len(etags) + 1
                etags[number] = self._s3.upload_part(**where, PartNumber=number, Body=part)["ETag"]
                part = _next_part(stream)
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in etags.items()]
            self._s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        except BaseException:
            # What made the upload fail may fail the abort too: then sweep aborts it when it is old.
            with suppress(Exception):
                self._s3.abort_multipart_upload(**where)
            raise

    def _abort_older(self, place: Place, before: datetime) -> Sequence[str]:
        aborted = []
        with aws_errors("list the unfinished uploads of", place.uri):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=place.bucket, Prefix=f"{place.prefix}/"
            )
            for page in pages:
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._s3.abort_multipart_upload(
                            Bucket=place.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        aborted.append(f"{_SCHEME}{place.bucket}/{upload['Key']}?uploadId={upload['UploadId']}")
        return aborted

    def _delete_all(self, bucket: str, names: Sequence[str]) -> None:
        with aws_errors("delete old files in", f"{_SCHEME}{bucket}"):
            answer = self._s3.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
            )
        for fault in answer.get("Errors", ()):
            raise HomeError(f"AWS refused to delete {_SCHEME}{bucket}/{fault['Key']}: {fault['Code']}.")


def _next_part(stream: BinaryIO) -> bytes:
    """Read until a part is full or the stream has ended: a stream may give less than asked before its end."""
    pieces: list[bytes] = []
    missing = PART_BYTES
    while missing and (piece := stream.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
