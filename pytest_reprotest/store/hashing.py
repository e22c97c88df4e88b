"""Parts as one digest, so that no two lists of parts are spelled the same."""

from __future__ import annotations

import hashlib
from typing import Any


def hashed(*parts: Any) -> str:
    """The digest of texts, each with its length before it; 32 hexadecimal digits.

    >>> hashed("ab", "c") == hashed("a", "bc")
    False
    """
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        found.update(b"%d:" % len(text))
        found.update(text)
    return found.hexdigest()
