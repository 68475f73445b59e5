"""Small texts on S3 that several programs change: each change says which version it was made from.

They lie beside the lake's zones, so that no sweep sees them. The store's conditional writes (``If-Match``,
``If-None-Match``) refuse a change that was made from an older version; nothing is locked.
"""

from collections.abc import Callable
from urllib.parse import quote

from nextbasket.errors import CommitConflictError
from nextbasket.lake.aws_access import AwsAccess, aws_errors, is_refusal
from nextbasket.lake.s3 import Place

_TRIES = 20


class S3Documents:
    """Texts by name, under ``place``."""

    def __init__(self, access: AwsAccess, place: Place) -> None:
        self._access = access
        self._place = place

    @property
    def uri(self) -> str:
        """Where they lie."""
        return self._place.uri

    def get(self, name: str) -> str | None:
        """Return a text, None when there is none of that name."""
        return self._get(name)[0]

    def put(self, name: str, text: str) -> None:
        """Store a text, whatever was there before."""
        with aws_errors("write", f"{self.uri}/{name}"):
            self._access.s3.put_object(Bucket=self._place.bucket, Key=self._key(name), Body=text.encode())

    def change(self, name: str, edit: Callable[[str | None], str]) -> None:
        """Replace a text by what ``edit`` makes of it (of None when there is none); ``edit`` may be called again.

        Raises CommitConflictError when other programs changed it first each time.
        """
        from botocore.exceptions import ClientError

        uri = f"{self.uri}/{name}"
        for _ in range(_TRIES):
            text, etag = self._get(name)
            new = edit(text)
            condition = {"IfMatch": etag} if etag is not None else {"IfNoneMatch": "*"}
            with aws_errors("write", uri):
                try:
                    self._access.s3.put_object(
                        Bucket=self._place.bucket, Key=self._key(name), Body=new.encode(), **condition
                    )
                    return
                except ClientError as error:
                    if not is_refusal(error, "PreconditionFailed", "412", "ConditionalRequestConflict", "409"):
                        raise
        raise CommitConflictError(f"other programs kept changing {uri}; run again.")

    def delete(self, name: str) -> None:
        """Remove a text; removing one that is gone is no error."""
        with aws_errors("delete", f"{self.uri}/{name}"):
            self._access.s3.delete_object(Bucket=self._place.bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._place.prefix}/{quote(name, safe='/')}"

    def _get(self, name: str) -> tuple[str | None, str | None]:
        from botocore.exceptions import ClientError

        with aws_errors("read", f"{self.uri}/{name}"):
            try:
                found = self._access.s3.get_object(Bucket=self._place.bucket, Key=self._key(name))
                return found["Body"].read().decode(), found["ETag"]
            except ClientError as error:
                if is_refusal(error, "NoSuchKey", "404"):
                    return None, None
                raise
