"""A tokenizer of ours for transformers' models and whoever knows its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spacy_selectra.text.encode import PieceTokenizer
from spacy_selectra.text.tokenizer import without_batching

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# What the special pieces that frame no sequence are called.
_ROLES = {"unk_token": ("[UNK]", "<unk>"), "mask_token": ("[MASK]", "<mask>")}


def transformers_tokenizer(pieces: PieceTokenizer) -> PreTrainedTokenizerFast:
    """transformers' tokenizer with a copy of the same definition.

    Not `ElectraTokenizerFast`, which sets up normalisation anew, and could strip accents.
    """
    from transformers import PreTrainedTokenizerFast

    backend = without_batching(pieces.backend)
    [padding] = pieces.names([pieces.pad_id])
    roles = {"pad_token": padding}
    if pieces.prefix and pieces.suffix:
        roles["cls_token"], roles["sep_token"] = pieces.names([pieces.prefix[0], pieces.suffix[-1]])
    for role, names in _ROLES.items():
        if known := [name for name in names if backend.token_to_id(name) is not None]:
            roles[role] = known[0]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=pieces.max_length,
        clean_up_tokenization_spaces=False,
        # transformers 5 leaves out the second otherwise
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **roles,
    )
