"""Numbers as people and programs write them: 1234.5, 1,234.5 or 1.234,5.

What lives here: `Notation`, found out from a sample and then held against every number. What stays out: whether a
price is believable (`frame`).

A number that fits the notation only by being another number is the worst mistake an import can make, so where the
sample allows both readings the file is refused.
"""

from enum import StrEnum
from typing import Self

import polars as pl

from coinhts_core.errors import RefusedError

_PATTERN = r"^[+-]?(?:\d+|[1-9]\d{{0,2}}(?:{group}\d{{3}})+)(?:{point}\d*)?(?:[eE][+-]?\d+)?$"
_POINT = _PATTERN.format(group=",", point=r"\.")
_COMMA = _PATTERN.format(group=r"\.", point=",")
_SPACES = r"[\s\u00a0\u202f']"


class Notation(StrEnum):
    """What stands before the fraction."""

    POINT = "decimal points"
    COMMA = "decimal commas"

    @classmethod
    def of(cls, texts: pl.Series, separator: str) -> Self:
        """The notation in which these numbers, and no others, are written; columns are parted by `separator`."""
        plain = texts.drop_nulls().str.replace_all(_SPACES, "")
        with_point, with_comma = plain.str.contains(_POINT), plain.str.contains(_COMMA)
        says_point, says_comma = (with_point & ~with_comma).any(), (with_comma & ~with_point).any()
        is_marked = plain.str.contains("," if separator == "," else "[.,]").any()
        if says_point and says_comma:
            raise RefusedError(reason="it mixes decimal points and decimal commas; write all numbers like 1234.5")
        if not (says_point or says_comma) and is_marked and (separator == ";" or plain.str.contains(",").any()):
            raise RefusedError(
                reason=f"{_first_marked(plain)} may be thousands or a fraction; write all numbers like 1234.5"
            )
        return cls.COMMA if says_comma else cls.POINT

    def read(self, column: pl.Series) -> pl.Series:
        """The numbers; none where something else stands, NaN and infinity included."""
        if column.dtype == pl.String:
            numbers = self._read_texts(column)
        elif column.dtype.is_numeric():
            numbers = column.cast(pl.Float64)
        else:
            numbers = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
        return numbers.set(~numbers.is_finite(), None)

    def _read_texts(self, texts: pl.Series) -> pl.Series:
        if self is Notation.POINT:
            numbers = texts.cast(pl.Float64, strict=False)
            if numbers.null_count() == texts.null_count():
                return numbers
        group, pattern = (",", _POINT) if self is Notation.POINT else (".", _COMMA)
        plain = texts.str.replace_all(_SPACES, "")
        plain = plain.set(~plain.str.contains(pattern), None)
        bare = plain.str.replace_all(group, "", literal=True).str.replace(",", ".", literal=True)
        return bare.cast(pl.Float64, strict=False)


def _first_marked(texts: pl.Series) -> str:
    return repr(texts.filter(texts.str.contains("[.,]"))[0])
