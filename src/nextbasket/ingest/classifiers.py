"""What the settings say about files that would be judged wrongly: format, delimiter, quote, header, names, types."""

import codecs
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from nextbasket.ingest.sniff import Known


@dataclass(frozen=True, slots=True)
class Classifier:
    """What is known about the files of one folder of landing; None and empty: find out.

    ``format`` is ``csv``, ``json``, ``parquet``, ``avro``, ``orc`` or ``excel``. ``columns`` names the columns, in the
    files' order, instead of the header's names. ``types`` gives column types by column name, as Athena writes them.
    """

    format: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> Known:
        """What it says about how a text file is written."""
        return Known(self.delimiter, self.quote, self.encoding, self.header)

    @property
    def fingerprint(self) -> str:
        """A short text that is another one when it says something else about single files."""
        said = {name: value for name, value in asdict(self).items() if name != "types"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


NOTHING = Classifier()
"""What is known about a folder that no setting names."""


def known_encoding(name: str) -> bool:
    """Say whether there is an encoding of this name."""
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
