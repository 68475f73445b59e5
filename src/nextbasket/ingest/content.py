"""What landed files contain, by their sha256, remembered so that a file is hashed once and not at every run."""

import hashlib
import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Protocol, Self

from nextbasket.lake.base import FileRef, Lake, Zone

_STATE = "ingest.landed"


class State(Protocol):
    """A small lasting store of texts, the catalog's ``state``; what it holds may be lost without harm."""

    def state(self, key: str) -> str | None:
        """Return a value, or None."""
        ...

    def set_state(self, key: str, value: str) -> None:
        """Add or replace a value."""
        ...


class HashingStream:
    """A stream that hashes what is read through it, on a thread of its own: close it, it is a context manager."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._hasher = ThreadPoolExecutor(1)
        self._hashed: Future[None] | None = None
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hasher.shutdown()

    def read(self, size: int = -1) -> bytes:
        """Read on, while the block before this one is hashed."""
        block = self._stream.read(size)
        self._wait()
        self._hashed = self._hasher.submit(self._hash.update, block)
        self.bytes += len(block)
        return block

    def hexdigest(self) -> str:
        """Return the sha256 of all that was read."""
        self._wait()
        return self._hash.hexdigest()

    def _wait(self) -> None:
        if self._hashed is not None:
            self._hashed.result()


class LandedContent:
    """The sha256 of every file in landing, known by key, size and time of change.

    The state is a cache: without it every landed file is hashed again.
    """

    def __init__(self, lake: Lake, state: State) -> None:
        self._lake = lake
        self._state = state
        self._known: dict[str, list[object]] = json.loads(state.state(_STATE) or "{}")
        self._changed = False

    def sha256(self, ref: FileRef) -> str:
        """Return the hash of a landed file's content."""
        mark = [ref.size, ref.modified.isoformat()]
        entry = self._known.get(ref.key)
        if entry is not None and entry[:2] == mark:
            return str(entry[2])
        with self._lake.open(ref) as stream:
            sha256 = _hash(stream)
        self.remember(ref, sha256)
        return sha256

    def remember(self, ref: FileRef, sha256: str) -> None:
        """Note the hash of a file that was just written or read."""
        self._known[ref.key] = [ref.size, ref.modified.isoformat(), sha256]
        self._changed = True

    def save(self) -> None:
        """Keep what is known for the next run."""
        if self._changed:
            there = {ref.key for ref in self._lake.list(Zone.LANDING)}
            self._state.set_state(
                _STATE, json.dumps({key: entry for key, entry in self._known.items() if key in there})
            )
            self._changed = False


def _hash(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
