"""An AWS on loopback for tests: moto's server in a thread of this process. It is no proof of what AWS itself does."""

import json
import logging
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nextbasket.lake.aws_access import AwsAccess

REGION = "eu-central-1"


class AwsServer:
    """A running server; ``endpoint`` is its address and ``access`` a way to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.access = AwsAccess(endpoint, REGION)

    def bucket(self) -> str:
        """Make a bucket with a name of its own and return the name."""
        name = f"shop-{secrets.token_hex(8)}"
        self.access.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def fill(self, bucket: str, names: Iterable[str]) -> None:
        """Put empty objects, past HTTP: many in little time."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for name in names:
            store.put_object(bucket, name, b"")

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Yield a list that fills with the method and path of each request made in the block."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication

        requests: list[str] = []
        answer = DomainDispatcherApplication.__call__

        def noted(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
            requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            return answer(self, environ, start_response)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DomainDispatcherApplication, "__call__", noted)
            yield requests


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    """Run a server for the block, and let boto3's own chain find credentials for it and nothing else."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "of-the-test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "none")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        _lock_glue_tables(patch)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield AwsServer(f"http://{host}:{port}")
        finally:
            server.stop()


def _lock_glue_tables(patch: pytest.MonkeyPatch) -> None:
    """Give moto what its UpdateTable lacks: Glue refuses an update made from another version than the current one."""
    from moto.core.exceptions import JsonRESTError
    from moto.glue.responses import GlueResponse

    update = GlueResponse.update_table
    lock = threading.Lock()

    def checked(self: GlueResponse) -> object:
        wanted = json.loads(self.body)
        with lock:
            table = self.glue_backend.get_table(wanted["DatabaseName"], wanted["TableInput"]["Name"])
            current = table.as_dict()["VersionId"]
            if wanted.get("VersionId") not in (None, current):
                raise JsonRESTError("ConcurrentModificationException", f"the table is at version {current}")
            return update(self)

    patch.setattr(GlueResponse, "update_table", checked)
