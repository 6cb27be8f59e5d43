from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.encoder.config import generator_config
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.pretraining.evaluation.evaluate import Heldout
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import encoder_config
from spacy_selectra.text.tokenizer import read_vocabulary
from spacy_selectra.util.signals import Stopped, StopRequest


@pytest.fixture
def networks(settings) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    config = encoder_config(settings().encoder, vocab_size=37)
    return Generator(generator_config(config)).train(), Discriminator(config).train()


@pytest.fixture
def heldout(data) -> Heldout:
    corpus = PackedCorpus(data.corpus, "heldout", read_vocabulary(data.tokenizer))
    return Heldout(corpus, Masker(37, range(5), 4), precision="fp32")


def test_untrained_networks_know_nothing(networks, heldout):
    result = heldout.predictions(*networks).measures()
    assert 0.35 < result["auc"] < 0.65
    assert 0.1 < result["base_rate"] < 0.16  # 15% masked, 1 of 37 guessed by chance
    assert result["mlm_loss"] == pytest.approx(np.log(37), rel=0.05)
    assert result["sequences"] == heldout.corpus.n_sequences
    assert result["pieces"] == heldout.corpus.n_tokens


def test_same_result_each_time_and_nothing_left_changed(networks, heldout):
    state = torch.get_rng_state()
    first = heldout.predictions(*networks).measures()
    torch.rand(3)
    assert heldout.predictions(*networks).measures() == first
    assert all(network.training for network in networks)
    torch.set_rng_state(state)
    other = replace(heldout, masker=heldout.masker.with_seed(1))
    assert other.predictions(*networks).measures() != first
    assert torch.equal(torch.get_rng_state(), state)


def test_a_discriminator_that_is_always_sure_of_real(networks, heldout):
    generator, discriminator = networks
    with torch.no_grad():
        discriminator.head.dense_prediction.weight.zero_()
        discriminator.head.dense_prediction.bias.fill_(-30.0)
    result = heldout.predictions(generator, discriminator).measures()
    assert result["accuracy"] == pytest.approx(1 - result["base_rate"])
    assert result["recall"] == 0.0
    assert result["auc"] == 0.5  # ties count half
    assert result["calibration_error"] == pytest.approx(result["base_rate"], abs=1e-6)


def test_verdicts_are_those_of_the_measures_piece_by_piece(networks, heldout):
    seen: list[int] = []
    verdicts = heldout.predictions(*networks, seen.append)
    assert sum(seen) == len(verdicts.lengths) == heldout.corpus.n_sequences
    assert verdicts.lengths.tolist() == heldout.corpus.lengths().tolist()
    expected = np.concatenate(
        [heldout.corpus.sequence(i)[0] for i in range(heldout.corpus.n_sequences)]
    )
    np.testing.assert_array_equal(verdicts.input_ids, expected)
    measures = verdicts.measures()
    sampled = 1 - verdicts.replaced.sum() / verdicts.masked
    assert measures["sampled_mlm_accuracy"] == pytest.approx(sampled)
    # untrained: the verdict is a coin, the loss that of a coin
    assert measures["rtd_loss"] == pytest.approx(np.log(2), rel=0.1)


def test_special_tokens_can_be_left_out(networks, heldout):
    verdicts = heldout.predictions(*networks)
    special = np.isin(verdicts.input_ids, range(5))
    assert special.any()
    assert not verdicts.replaced[special].any()
    expected = verdicts.replaced.sum() / (~special).sum()
    assert verdicts.without(range(5))["base_rate"] == pytest.approx(expected)
    # a discriminator wrong on special tokens alone is perfect on text
    told_apart = np.where(verdicts.replaced | special, 1.0, -1.0)
    fooled = replace(verdicts, logits=told_apart)
    assert fooled.without(range(5))["accuracy"] == 1.0
    assert fooled.measures()["accuracy"] == pytest.approx(1 - special.mean())


def test_a_request_to_stop_ends_it_and_leaves_the_networks_as_they_were(networks, heldout):
    stop = StopRequest()
    stop.requested = True
    seen: list[int] = []

    def after_batch(sequences: int) -> None:
        seen.append(sequences)
        stop.check()

    with pytest.raises(Stopped):
        heldout.predictions(*networks, after_batch)
    assert len(seen) == 1
    assert all(network.training for network in networks)
