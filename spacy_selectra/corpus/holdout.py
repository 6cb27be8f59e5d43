"""Which documents are held out, decided by their text alone."""

from __future__ import annotations

import hashlib
import unicodedata


def text_key(text: str) -> bytes:
    """16 bytes that are equal for texts that differ only in white space or Unicode composition."""
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def uniform(key: bytes, purpose: str, seed: int = 0) -> float:
    """A number in [0, 1) that looks random but depends on the arguments only.

    Numbers for different purposes (up to 16 letters) are unrelated: a sample of a corpus
    must not hold more of the held-out documents than of others.
    """
    salt = seed.to_bytes(16, "little", signed=True)
    digest = hashlib.blake2b(key, digest_size=8, salt=salt, person=purpose.encode())
    return int.from_bytes(digest.digest(), "little") / 2**64


def is_heldout(text: str, share: float) -> bool:
    """Whether a document belongs to the held-out split of `share` (0 to 1) of all documents.

    Copies of a text always fall on the same side, in every stage and every corpus, so
    that nothing held out is ever seen in training. A larger share contains the smaller ones.
    """
    return share > 0.0 and uniform(text_key(text), "heldout") < share
