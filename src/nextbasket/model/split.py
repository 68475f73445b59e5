"""Which shoppers a model may learn from: parts and samples by a seeded hash of the id, the same in SQL and in Python.

The hash of a shopper is the first eight hex digits of SHA-256 over ``seed:purpose:id``, with the id as text, so an id
has one hash whether it is stored as 42 or as '42', on every engine and in every run.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import ibis
import ibis.expr.types as ir

from nextbasket.errors import ModelError

_DIGITS = 8
_RANGE = 16**_DIGITS


class Part(StrEnum):
    """A part of the shoppers: what trees grow on, what stops and tunes them, what no training ever sees."""

    TRAINING = "training"
    VALIDATION = "validation"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the shoppers: ``held_out`` and ``validation`` are fractions of all shoppers, the rest is training."""

    seed: int = 2017
    held_out: float = 0.1
    validation: float = 0.05

    def __post_init__(self) -> None:
        if not (0 < self.held_out < 1 and 0 <= self.validation < 1 - self.held_out):
            raise ModelError(f"the shares held_out={self.held_out} and validation={self.validation} leave no training.")

    def part(self, shopper: int | str) -> Part:
        """Return the part one shopper belongs to."""
        digits = self._digits("part", shopper)
        if digits < _border(self.held_out):
            return Part.HELD_OUT
        return Part.VALIDATION if digits < _border(self.held_out + self.validation) else Part.TRAINING

    def sampled(self, shopper: int | str, fraction: float) -> bool:
        """Say whether the shopper is in the sample of ``fraction`` of all shoppers; independent of the parts."""
        return fraction >= 1 or self._digits("sample", shopper) < _border(fraction)

    def condition(self, user_id: ir.Column, parts: Collection[Part], fraction: float = 1.0) -> ir.BooleanValue:
        """Return the condition that is true for the shoppers of ``parts`` within the sample of ``fraction``."""
        first, second = _border(self.held_out), _border(self.held_out + self.validation)
        digits = self._digits_of("part", user_id)
        ranges = {
            Part.HELD_OUT: digits < first,
            Part.VALIDATION: (digits >= first) & (digits < second),
            Part.TRAINING: digits >= second,
        }
        wanted = ibis.or_(*(ranges[part] for part in Part if part in parts))
        if fraction < 1:
            wanted = wanted & (self._digits_of("sample", user_id) < _border(fraction))
        return wanted

    def _digits(self, purpose: str, shopper: int | str) -> str:
        return hashlib.sha256(f"{self.seed}:{purpose}:{shopper}".encode()).hexdigest()[:_DIGITS]

    def _digits_of(self, purpose: str, user_id: ir.Column) -> ir.StringValue:
        text = ibis.literal(f"{self.seed}:{purpose}:") + user_id.cast("string")
        return text.hexdigest("sha256").left(_DIGITS)


DEFAULT_SPLIT = Split()
"""The split every home uses: a tenth held out, a twentieth to stop and tune with."""


def _border(share: float) -> str:
    """Return the smallest digits above ``share`` of the hash's range; a text compare of digits is a number compare."""
    if share >= 1:
        return "g"  # above every hex digit
    return f"{round(share * _RANGE):0{_DIGITS}x}"
