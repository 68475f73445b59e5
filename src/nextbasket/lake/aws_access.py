"""The way to an S3 endpoint: boto3's client, Arrow's file system, and clear sentences for what AWS refuses.

Credentials come from boto3's own chain alone (environment, ``~/.aws``, a role); nextbasket stores none.
"""

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nextbasket.errors import HomeError, MissingExtraError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_NO_CREDENTIALS = "there are no AWS credentials: give them as for the AWS CLI (environment, ~/.aws, or a role)."
_SENTENCES = {
    "NoSuchBucket": "there is no bucket for {uri}: create it, or correct the bucket in nextbasket.toml.",
    "AccessDenied": "access denied: these AWS credentials may not {doing} {uri}; ask for the right, or use others.",
    "AllAccessDisabled": "access denied: the bucket is closed to all: cannot {doing} {uri}; ask its owner.",
    "403": "access denied: these AWS credentials may not {doing} {uri}; ask for the right, or use others.",
    "InvalidAccessKeyId": "the AWS access key is unknown there: cannot {doing} {uri}; correct the credentials.",
    "SignatureDoesNotMatch": "the AWS secret key is wrong: cannot {doing} {uri}; correct the credentials.",
    "ExpiredToken": "the AWS session has expired: cannot {doing} {uri}; sign in again.",
    "ExpiredTokenException": "the AWS session has expired: cannot {doing} {uri}; sign in again.",
    "AccessDeniedException": "access denied: these AWS credentials may not {doing} {uri}; ask for the right.",
}


class AwsAccess:
    """One endpoint and region; ``endpoint`` None is AWS itself, ``region`` None is the one boto3 finds.

    ``glue_endpoint`` is Glue's where it differs. Raises MissingExtraError without boto3. Everything is made when it is
    first asked for; threads may share it.
    """

    def __init__(
        self, endpoint: str | None = None, region: str | None = None, *, glue_endpoint: str | None = None
    ) -> None:
        # Here, not at the first request: what handles a request's errors needs the library already.
        if importlib.util.find_spec("boto3") is None:
            raise MissingExtraError("storage on S3", "aws")
        self._endpoint = endpoint
        self._glue_endpoint = glue_endpoint or endpoint
        self._region = region
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, int], Any] = {}

    @property
    def s3(self) -> Any:
        """The S3 client."""
        return self._client("s3", self._endpoint)

    @property
    def glue(self) -> Any:
        """The Glue client."""
        return self._client("glue", self._glue_endpoint)

    @property
    def glue_once(self) -> Any:
        """A Glue client that sends each request once.

        For commits: one that was carried out, but whose answer got lost, would be refused when sent again, and
        pyiceberg then deletes the manifests of the commit that stands.
        """
        return self._client("glue", self._glue_endpoint, attempts=1)

    def _client(self, service: str, endpoint: str | None, attempts: int = 5) -> Any:
        # boto3's sessions are not safe to make clients from in several threads at once; clients are safe to share.
        with self._lock:
            if (service, attempts) not in self._clients:
                self._clients[service, attempts] = self._new_client(service, endpoint, attempts)
            return self._clients[service, attempts]

    def _new_client(self, service: str, endpoint: str | None, attempts: int) -> Any:
        import boto3
        from botocore.config import Config

        options: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": attempts}}
        if endpoint is not None:
            # Other makes of S3 know buckets as the path's first part, and not all of them AWS's newer checksums.
            options["s3"] = {"addressing_style": "path"}
            options["request_checksum_calculation"] = "when_required"
            options["response_checksum_validation"] = "when_required"
        with aws_errors("reach", service):
            self._session = self._session or boto3.Session(region_name=self._region)
            return self._session.client(service, endpoint_url=endpoint, config=Config(**options))

    def filesystem(self) -> "FileSystem":
        """Return Arrow's S3 file system with the credentials of this moment: make a new one for each piece of work."""
        from pyarrow.fs import S3FileSystem

        key, secret, token = self._credentials()
        return S3FileSystem(
            access_key=key,
            secret_key=secret,
            session_token=token,
            region=self.s3.meta.region_name,
            endpoint_override=self._endpoint,
        )

    def iceberg_properties(self) -> dict[str, str]:
        """Return pyiceberg's properties for files on this S3, with the credentials of this moment."""
        key, secret, token = self._credentials()
        properties = {
            "s3.access-key-id": key,
            "s3.secret-access-key": secret,
            "s3.session-token": token,
            "s3.region": self.s3.meta.region_name,
            "s3.endpoint": self._endpoint,
        }
        return {name: value for name, value in properties.items() if value}

    def _credentials(self) -> tuple[str, str, str | None]:
        client = self.s3  # makes the session
        with aws_errors("reach", client.meta.endpoint_url):
            found = self._session.get_credentials()
            if found is None:
                raise HomeError(_NO_CREDENTIALS)
            frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token


@contextmanager
def aws_errors(doing: str, uri: str) -> Iterator[None]:
    """Raise HomeError for what AWS or the way to it refuses inside the block; ``doing`` is the sentence's verb."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise HomeError(_NO_CREDENTIALS) from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = error.response.get("Error", {}).get("Message", "")
        sentence = _SENTENCES.get(code, "AWS refused to {doing} {uri}: " + f"{code} {message}".strip() + ".")
        raise HomeError(sentence.replace("{doing}", doing).replace("{uri}", uri)) from error
    except BotoCoreError as error:
        raise HomeError(f"cannot {doing} {uri}: {error}") from error


def is_refusal(error: Exception, *codes: str) -> bool:
    """Say whether boto3's error carries one of the codes (an error's name, or an HTTP status as text)."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", "")) in codes


def is_passing(error: Exception) -> bool:
    """Say whether boto3's error is a fault that passes: too many requests, or one on the service's side."""
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or is_refusal(error, "ThrottlingException", "Throttling", "TooManyRequestsException")
