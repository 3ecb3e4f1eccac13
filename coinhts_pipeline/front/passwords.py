"""Passwords compared slowly, so that guessing costs, and evenly, so that time tells nothing.

What lives here: `Passwords`. What stays out: how often one may guess (`guesses`), and where passwords come from.
"""

from collections.abc import Mapping
from hashlib import scrypt, sha256
from hmac import compare_digest
from secrets import token_bytes
from unicodedata import normalize

from coinhts_pipeline.front.sessions import Role

_COST = {"n": 2**14, "r": 8, "p": 1}


class Passwords:
    """Hashes with a salt of this process; the passwords themselves are not kept."""

    def __init__(self, passwords: Mapping[Role, str]) -> None:
        self._salt = token_bytes(16)
        self._hashes: dict[Role, bytes] = {role: self._hashed(password) for role, password in passwords.items()}

    def role_of(self, guess: str) -> Role | None:
        hashed = self._hashed(guess)
        right = [role for role, known in self._hashes.items() if compare_digest(hashed, known)]
        return right[0] if right else None

    def _hashed(self, text: str) -> bytes:
        """Keyboards spell one letter in several ways; and scrypt alone takes a zero at the end for nothing."""
        spelt = sha256(normalize("NFC", text).encode(errors="replace")).digest()
        return scrypt(spelt, salt=self._salt, **_COST)
