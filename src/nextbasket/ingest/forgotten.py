"""Who was forgotten, as keyed hashes only: so that a later delivery of the same lines brings nobody back.

The loader asks here which ids of a delivery belong to forgotten shoppers and drops their lines. Whoever holds the home
holds the key, and can test an id; the hashes alone say nothing.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Sequence

from nextbasket.catalog.base import IngestedFile
from nextbasket.ingest.content import State

FORGOTTEN = "forgotten shopper"
"""The reason with which the loader drops a line."""

_STATE = "forgotten"


class Forgotten:
    """The hashes of forgotten shoppers and of their orders, kept in the catalog's state."""

    def __init__(self, state: State) -> None:
        self._state = state
        stored = json.loads(state.state(_STATE) or "{}")
        self._key = bytes.fromhex(stored.get("key", ""))
        self._shoppers: set[str] = set(stored.get("shoppers", ()))
        self._orders: set[str] = set(stored.get("orders", ()))
        self._contents: dict[str, str] = dict(stored.get("contents", {}))

    def __bool__(self) -> bool:
        return bool(self._shoppers)

    def shoppers(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are forgotten shoppers'."""
        return {one for one in ids if self._hash("shopper", one) in self._shoppers} if self._shoppers else set()

    def orders(self, ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are forgotten shoppers' orders."""
        return {one for one in ids if self._hash("order", one) in self._orders} if self._orders else set()

    def add(self, shopper: str | None, orders: Iterable[str]) -> None:
        """Remember a shopper, and orders of one; what is there stays."""
        self._key = self._key or secrets.token_bytes(32)
        shoppers = self._shoppers | ({self._hash("shopper", shopper)} if shopper is not None else set())
        known = self._orders | {self._hash("order", order) for order in orders}
        if (shoppers, known) == (self._shoppers, self._orders):
            return
        self._shoppers, self._orders = shoppers, known
        self._save()

    def add_content(self, former: str, now: str) -> None:
        """Remember that a landed file was written again: the hashes of its content before and now."""
        if self._contents.get(former) != now:
            self._contents[former] = now
            self._save()

    def without_former(self, ledger: Sequence[IngestedFile]) -> list[IngestedFile]:
        """Return a table's ledger, oldest first, without the files whose rewritten content is in it, too.

        Landing no longer has them, though nothing that they brought is missing. A content that is delivered once
        more, after that, counts.
        """
        last = {entry.sha256: place for place, entry in enumerate(ledger)}
        return [
            entry for place, entry in enumerate(ledger) if last.get(self._contents.get(entry.sha256, ""), -1) < place
        ]

    def name(self, shopper: str) -> str:
        """Return a short name that stands for a shopper and does not say who it is."""
        self._key = self._key or secrets.token_bytes(32)
        return self._hash("name", shopper)[:16]

    def _save(self) -> None:
        kept = {"key": self._key.hex(), "shoppers": sorted(self._shoppers), "orders": sorted(self._orders)}
        self._state.set_state(_STATE, json.dumps(kept | {"contents": self._contents}))

    def _hash(self, kind: str, text: str) -> str:
        return hmac.digest(self._key, f"{kind}\0{text}".encode(), "sha256").hex()
