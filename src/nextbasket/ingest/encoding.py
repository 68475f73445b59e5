"""In which encoding a text file is written, and its bytes as text. The decision is documented in docs/files.md."""

import codecs
import re
from collections.abc import Callable

from nextbasket.errors import InputError

_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_WESTERN = "cp1252"
_ENOUGH_LINES = 5
_SHARE_OF_LINES = 50

# Letters and signs that Western European texts are full of. Not among them: bytes that are more often a broken UTF-8
# text's (Ã, Â, ÿ, þ), so that a few damaged lines do not make a whole file Windows-1252.
_USUAL = frozenset(range(0x80, 0x100)) - frozenset(b"\xc2\xc3\xd0\xd7\xdd\xde\xf0\xf7\xfd\xfe\xff")


def _western_table() -> str:
    """Return the character of each byte: Windows-1252, and Latin-1's for the five bytes it leaves open."""
    characters = []
    for code in range(256):
        try:
            characters.append(bytes([code]).decode(_WESTERN))
        except UnicodeDecodeError:
            characters.append(chr(code))
    return "".join(characters)


_WESTERN_TABLE = _western_table()


def detect(head: bytes, given: str | None = None) -> tuple[str, int]:
    """Return the encoding of the file that begins with ``head``, and the length in bytes of its byte-order mark.

    An encoding that is ``given`` is taken as it is; raises InputError for one that there is not.

    It is ``utf-8``, ``utf-16`` (with a mark), ``utf-16-le``, ``utf-16-be`` or ``cp1252``, which stands for Latin-1
    too: it has the same letters.
    """
    if given is not None:
        return _canonical(given), 3 if head.startswith(codecs.BOM_UTF8) else 0
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Python's "utf-16" reads the mark itself.
        return "utf-16", 0
    if b"\0" in head:
        return _without_mark(head), 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _single_byte(head), 0
    return "utf-8", 0


def decoder(encoding: str) -> Callable[[bytes, bool], str]:
    """Return a function that decodes a file block by block; its second argument says whether the block is the last.

    Every byte of ``cp1252`` means something; half characters of a UTF-16 file become U+FFFD.
    """
    if encoding == _WESTERN:
        return lambda block, _: codecs.charmap_decode(block, "strict", _WESTERN_TABLE)[0]
    stateful = codecs.getincrementaldecoder(encoding)(errors="replace")
    return lambda block, last: stateful.decode(block, final=last)


def _canonical(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise InputError(f"there is no encoding {name!r}; write utf-8, utf-16 or cp1252, for example.") from error
    return {"iso8859-1": _WESTERN, "utf-8-sig": "utf-8", "ascii": "utf-8"}.get(found, found)


def _without_mark(head: bytes) -> str:
    # In UTF-16 every second byte of a text in Latin letters is zero.
    half = len(head) // 2
    if head[1::2].count(0) * 10 >= half * 6 and head[::2].count(0) * 10 < half:
        return "utf-16-le"
    if head[::2].count(0) * 10 >= half * 6 and head[1::2].count(0) * 10 < half:
        return "utf-16-be"
    return "utf-8"


def _single_byte(head: bytes) -> str:
    """Tell a file in Windows-1252 from a UTF-8 file with a few broken lines, which are then quarantined.

    Evidence is that there is no valid multi-byte sequence at all, and that two lines of a hundred have bytes beyond
    ASCII: on five lines and more, or else only such as Western European texts are full of.
    """
    if _MULTIBYTE.search(head):
        return "utf-8"
    lines = head.split(b"\n")
    beyond = [line for line in lines if not line.isascii()]
    if len(beyond) * _SHARE_OF_LINES < len(lines):
        return "utf-8"
    usual = all(code < 128 or code in _USUAL for line in beyond for code in line)
    return _WESTERN if usual or len(beyond) >= _ENOUGH_LINES else "utf-8"
