"""Choosing held-out documents by a hash of their text."""

from __future__ import annotations

import hashlib
import unicodedata


def text_key(text: str) -> bytes:
    """A 16-byte hash of a text, without regard to white space and Unicode composition."""
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def uniform(key: bytes, purpose: str, seed: int = 0) -> float:
    """A pseudo-random number in [0, 1) that depends on the arguments only.

    Numbers for different purposes (up to 16 letters) are independent, so that a sample of a corpus
    has the same share of held-out documents.
    """
    salt = seed.to_bytes(16, "little", signed=True)
    digest = hashlib.blake2b(key, digest_size=8, salt=salt, person=purpose.encode())
    return int.from_bytes(digest.digest(), "little") / 2**64


def is_heldout(text: str, share: float) -> bool:
    """Whether a document is held out, with a held-out share from 0 to 1.

    All copies of a text are in the same split, in every stage and every corpus, so that no
    held-out text is used in training. A larger share includes the documents of a smaller one.
    """
    return share > 0.0 and uniform(text_key(text), "heldout") < share
