"""The words of a statement, taken one after the other, and its text with all but one part made blank."""

from typing import NoReturn, TypeVar

from sqlglot.tokenizer_core import Token, TokenType

from nextbasket.query import dialect

_Statement = TypeVar("_Statement")


class Words:
    """The tokens of a statement, taken from the left; backticks around names are left out."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.source = text
        self._tokens = [token for token in tokens if token.text != "`"]
        self._at = 0

    @property
    def next(self) -> Token | None:
        """The next token."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    @property
    def rest(self) -> list[Token]:
        """The tokens that are left."""
        return self._tokens[self._at :]

    def take(self, *words: str) -> bool:
        """Take these words when they come next, and say whether they did."""
        found = [token.text.lower() for token in self._tokens[self._at : self._at + len(words)]]
        if found != list(words):
            return False
        self._at += len(words)
        return True

    def text(self) -> str | None:
        """Take a text in quotes when one comes next."""
        token = self.next
        if token is None or token.token_type is not TokenType.STRING:
            return None
        self._at += 1
        return token.text

    def name(self) -> dialect.TableName:
        """Take a name, ``table`` or ``database.table``."""
        start = self._at
        parts = [self.part()]
        while self.take("."):
            parts.append(self.part())
        if len(parts) == 3 and parts[0] == "awsdatacatalog":
            parts = parts[1:]
        if len(parts) > 2:
            self.fail("a table's name is written table or database.table", self._tokens[start])
        return dialect.TableName(parts[0] if len(parts) == 2 else None, parts[-1], self._tokens[start].start)

    def part(self) -> str:
        """Take one part of a name, in lower case."""
        token = self.next
        plain = token is not None and token.text and token.token_type not in (TokenType.STRING, TokenType.NUMBER)
        if token is None or not plain or not (token.text[0].isalpha() or token.text[0] == "_" or is_quoted(token)):
            self.fail("a table's name is missing", token)
        self._at += 1
        return token.text.lower()

    def last(self, statement: _Statement) -> _Statement:
        """Return the statement when nothing follows it."""
        if self.next is not None:
            self.fail(f"the statement should end before {self.next.text!r}", self.next)
        return statement

    def fail(self, message: str, token: Token | None) -> NoReturn:
        """Raise QueryError at a token, or at the statement's end."""
        raise dialect.error_at(self.source, f"{message}.", token.start if token is not None else len(self.source))


def is_quoted(token: Token) -> bool:
    """Say whether a token is a name in quotes, which is never a keyword."""
    return token.token_type is TokenType.IDENTIFIER


def blank(text: str, start: int, end: int) -> str:
    """Return the text with everything outside [start, end) made blank, so that places in it stay what they are."""
    kept = [character if character == "\n" else " " for character in text]
    kept[start:end] = text[start:end]
    return "".join(kept)
