"""Finding, for every entry of a vocabulary, a text that produces it.

An entry that no text produces is never trained: that is how SELECTRA's published
checkpoints lost every accented entry. So the proof is constructive: an entry
counts as reachable only when a string was tokenised and the entry came out.

WordPiece matches the longest entry first. A word that is itself an entry comes out
whole. `##x` comes out of a word `q + x` if `q` is an entry at the start of words and no
longer entry covers `q` and a part of `x`; then the rest of the word is exactly `x`.
Such a `q` always exists: nothing is longer than the longest entry. What can still fail
is normalisation and the splitting at signs, hence the test of the string itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Tokenizer

from spacy_selectra.corpus.tokenizer import CONTINUATION, SPECIAL_TOKENS, entries, plain_copy

_ATTEMPTS = 24  # strings tokenised per entry, each fulfilling the condition above


def unreachable_entries(tokenizer: Tokenizer) -> list[str]:
    """Entries for which no text was found, in the order of their ids.

    Special tokens, which are inserted by id, and reserved entries such as `[unused1]`
    count as reachable.
    """
    tokenizer = plain_copy(tokenizer)
    words = entries(tokenizer)
    ids = {word: index for index, word in enumerate(words)}
    special = {*SPECIAL_TOKENS, *(t.content for t in tokenizer.get_added_tokens_decoder().values())}
    search = _Search(words)
    open_entries = {
        word: search.strings(word)
        for word in words
        if word not in special and not _is_reserved(word)
    }
    for _ in range(_ATTEMPTS):
        trials = {word: next(strings, None) for word, strings in open_entries.items()}
        pairs = [(word, text) for word, text in trials.items() if text is not None]
        encodings = tokenizer.encode_batch_fast(
            [text for _, text in pairs], add_special_tokens=False
        )
        for (word, _), encoding in zip(pairs, encodings, strict=True):
            if encoding.ids and encoding.ids[-1] == ids[word]:
                del open_entries[word]
        if not open_entries or not pairs:
            break
    return [word for word in words if word in open_entries]


class _Search:
    """Candidate strings for an entry, by the rule of longest match alone."""

    def __init__(self, words: list[str]) -> None:
        self._initial = {word for word in words if not word.startswith(CONTINUATION)}
        starting: dict[str, int] = {}
        for word in self._initial:
            starting[word[:1]] = starting.get(word[:1], 0) + 1
        # Rare letters first: hardly any entry goes on from them. Signs stand alone in
        # every text, so nothing continues them.
        prefixes = [word for word in self._initial if word[-1:].isalnum()]
        self._prefixes = sorted(prefixes, key=lambda word: (len(word), starting[word[:1]], word))

    def strings(self, word: str) -> Iterator[str]:
        """Strings whose last piece should be `word`."""
        if not word.startswith(CONTINUATION) or len(word) == len(CONTINUATION):
            return iter((word,))
        return self._words_ending_in(word[len(CONTINUATION) :])

    def _words_ending_in(self, rest: str) -> Iterator[str]:
        for prefix in self._prefixes:
            if self._stays_whole(prefix, rest):
                yield prefix + rest

    def _stays_whole(self, prefix: str, rest: str) -> bool:
        longer = (prefix + rest[:length] for length in range(1, len(rest) + 1))
        return not any(word in self._initial for word in longer)


def _is_reserved(word: str) -> bool:
    return word.startswith("[unused") and word.endswith("]")
