from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from spacy_selectra.encoder.config import EncoderConfig, generator_config
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.pretraining.generator_loss import score_and_sample, vocabulary_loss
from spacy_selectra.pretraining.masking import MaskedBatch, Masker
from spacy_selectra.pretraining.model import PretrainingModel, discriminator_loss, replace

CONFIG = EncoderConfig(
    vocab_size=300,
    embedding_size=16,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    max_position_embeddings=64,
)


@pytest.fixture
def model() -> PretrainingModel:
    torch.manual_seed(0)
    made = PretrainingModel(Generator(generator_config(CONFIG)), Discriminator(CONFIG))
    # weights of ELECTRA's 0.02 give nearly flat outputs; larger ones make errors visible
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return made


def make_batch(lengths: list[int], seed: int = 0) -> MaskedBatch:
    rng = np.random.default_rng(seed)
    ids = np.concatenate([[2, *rng.integers(5, 300, size=n - 2), 3] for n in lengths])
    types = np.concatenate([(np.arange(n) > n // 2).astype(np.int64) for n in lengths])
    return Masker(300, range(5), 4, seed=seed)(ids, np.array(lengths), types)


def split(batch: MaskedBatch) -> Iterator[tuple[slice, int]]:
    start = 0
    for length in batch.lengths:
        yield slice(start, start + length), length
        start += length


def reference(model: PretrainingModel, batch: MaskedBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Losses written out one sequence, one piece and one draw at a time, in float64."""
    mlm, rtd, masked, pieces = torch.zeros(()).double(), torch.zeros(()).double(), 0, 0
    where = {int(p): i for i, p in enumerate(batch.positions)}
    for rows, length in split(batch):
        types = batch.type_ids[rows]
        scores = model.generator(batch.masked_ids[rows], [length], types)
        corrupted = batch.input_ids[rows].clone()
        for place in range(length):
            index = where.get(rows.start + place)
            if index is None:
                continue
            target = int(batch.input_ids[rows.start + place])
            distribution = torch.softmax(scores[place], dim=0)
            mlm = mlm - torch.log(distribution[target])
            masked += 1
            passed = 0.0
            for candidate, probability in enumerate(distribution.tolist()):
                passed += probability
                if batch.uniforms[index] < passed:
                    corrupted[place] = candidate
                    break
        verdicts = model.discriminator(corrupted, [length], types)
        for place in range(length):
            changed = bool(corrupted[place] != batch.input_ids[rows.start + place])
            probability = torch.sigmoid(verdicts[place])
            rtd = rtd - torch.log(probability if changed else 1 - probability)
            pieces += 1
    return mlm / masked + 50 * rtd / pieces, mlm, rtd


def test_losses_and_gradients_equal_a_plain_float64_reference(model):
    batch = make_batch([20, 7, 33, 20])
    losses = model(batch)
    losses.total.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    exact = model.double()
    total, mlm, rtd = reference(exact, batch)
    total.backward()
    assert losses.mlm.item() == pytest.approx(mlm.item(), rel=1e-5)
    assert losses.rtd.item() == pytest.approx(rtd.item(), rel=1e-5)
    assert losses.total.item() == pytest.approx(total.item(), rel=1e-5)
    for name, parameter in exact.named_parameters():
        assert parameter.grad is not None
        scale = parameter.grad.abs().max().item()
        torch.testing.assert_close(
            gradients[name].double(), parameter.grad, rtol=1e-3, atol=1e-4 * max(scale, 1e-3)
        )


def test_parts_of_a_batch_add_up_to_the_whole(model):
    whole = make_batch([20, 20, 12, 30])
    model(whole).total.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    for rows, lengths in ((slice(0, 40), [20, 20]), (slice(40, 82), [12, 30])):
        inside = (whole.positions >= rows.start) & (whole.positions < rows.stop)
        part = MaskedBatch(
            whole.input_ids[rows],
            whole.masked_ids[rows],
            whole.type_ids[rows],
            lengths,
            whole.positions[inside] - rows.start,
            whole.uniforms[inside],
        )
        model(part, masked=len(whole.positions), pieces=82).total.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6)


def test_no_gradient_from_discriminator_to_generator(model):
    model.mlm_weight = 0.0
    model(make_batch([30, 30])).total.backward()
    for name, parameter in model.generator.named_parameters():
        if not name.startswith("encoder.embeddings."):
            assert parameter.grad is None or not parameter.grad.any(), name
    assert model.discriminator.head.dense.weight.grad.any()


def test_correction_names_the_original_from_the_corrupted_text(model):
    batch = make_batch([20, 7, 33])
    plain = model(batch)
    with_corrector = PretrainingModel(
        model.generator, model.discriminator, corrective_lm_weight=4.0
    )
    losses = with_corrector(batch)
    seen: list[Tensor] = []
    encoder = model.discriminator.encoder
    handle = encoder.register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.no_grad():
        with_corrector(batch)
    handle.remove()
    assert with_corrector.corrector is not None
    words = encoder.embeddings.word_embeddings.weight
    logits = with_corrector.corrector(seen[0][batch.positions], words)
    chosen = torch.log_softmax(logits.double(), dim=1)
    rows = torch.arange(len(batch.positions))
    expected = -chosen[rows, batch.input_ids[batch.positions]].sum()
    assert losses.correction.item() == pytest.approx(expected.item(), rel=1e-5)
    total = plain.total.item() + 4.0 * expected.item() / len(batch.positions)
    assert losses.total.item() == pytest.approx(total, rel=1e-5)
    losses.total.backward()
    assert all(p.grad is not None for p in with_corrector.parameters())


def test_without_correction_there_is_no_corrector(model):
    assert not any(name.startswith("corrector") for name in dict(model.named_parameters()))
    assert model(make_batch([20])).correction == 0


def test_embeddings_are_tied_and_counted_once(model):
    ours = model.discriminator.encoder.embeddings
    assert model.generator.encoder.embeddings is ours
    names = dict(model.named_parameters())
    assert sum(p is ours.word_embeddings.weight for p in names.values()) == 1
    assert not any(name.startswith("generator.encoder.embeddings.") for name in names)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(make_batch([30])).total.backward()
    optimizer.step()
    moved = model.generator.encoder.embeddings.word_embeddings.weight
    assert moved is ours.word_embeddings.weight


def test_a_sample_equal_to_the_original_counts_as_real():
    ids = torch.tensor([2, 10, 11, 12, 3])
    corrupted, replaced = replace(ids, torch.tensor([1, 3]), torch.tensor([10, 99]))
    assert corrupted.tolist() == [2, 10, 11, 99, 3]
    assert replaced.tolist() == [False, False, False, True, False]


def test_discriminator_loss_counts_every_piece():
    logits = torch.tensor([0.0, 3.0, -3.0])
    replaced = torch.tensor([False, True, False])
    expected = np.log(2) + 2 * np.log1p(np.exp(-3))
    assert discriminator_loss(logits, replaced).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rows", [4, 3000])  # one block, and several
def test_vocabulary_loss_equals_cross_entropy(rows):
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, 8, generator=rng, requires_grad=True)
    words = torch.randn(1500, 8, generator=rng, requires_grad=True)
    bias = torch.randn(1500, generator=rng, requires_grad=True)
    targets = torch.randint(1500, (rows,), generator=rng)
    uniforms = torch.rand(rows, dtype=torch.float64, generator=rng)
    loss, samples = vocabulary_loss(hidden, words, bias, targets, uniforms)
    (loss * 0.3).backward()
    plain = [tensor.detach().double().requires_grad_() for tensor in (hidden, words, bias)]
    logits = torch.nn.functional.linear(*plain)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    (expected * 0.3).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip((hidden, words, bias), plain, strict=True):
        scale = theirs.grad.abs().max().item()
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-4, atol=1e-5 * scale)
    assert not samples.requires_grad
    alone, same = score_and_sample(logits.detach().float(), targets, uniforms)
    assert alone.item() == pytest.approx(loss.item(), rel=1e-6)
    assert (samples == same).double().mean() > 0.99  # the logits differ in rounding


def test_vocabulary_loss_without_draws_gives_the_targets():
    targets = torch.tensor([3, 1])
    _, samples = vocabulary_loss(torch.randn(2, 4), torch.randn(9, 4), torch.zeros(9), targets)
    assert torch.equal(samples, targets)


def test_losses_of_bfloat16_logits_are_computed_in_float32():
    rng = torch.Generator().manual_seed(0)
    logits = (torch.randn(8, 1000, generator=rng) * 3).bfloat16()
    targets = torch.arange(8)
    uniforms = torch.rand(8, dtype=torch.float64, generator=rng)
    half, samples = score_and_sample(logits, targets, uniforms)
    single, same = score_and_sample(logits.float(), targets, uniforms)
    assert half.dtype == torch.float32
    assert torch.equal(half, single)
    assert torch.equal(samples, same)


@pytest.mark.parametrize("correction", [0.0, 4.0])
def test_mixed_precision_step_stays_close_to_float32(model, correction):
    if correction:
        torch.manual_seed(1)
        model = PretrainingModel(model.generator, model.discriminator, 1.0, 50.0, correction)
    batch = make_batch([20, 7, 33], seed=1)  # no draw so near a border that rounding changes it
    expected = model(batch)
    expected.total.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(batch)
        losses.total.backward()
    assert losses.mlm.item() == pytest.approx(expected.mlm.item(), rel=0.02)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        error = (parameter.grad - gradients[name]).norm() / gradients[name].norm().clamp(min=1e-3)
        assert error < 0.05, name


def test_one_compilation_serves_batches_of_all_sizes(model):
    counter = CompileCounter()
    batches = [make_batch([length] * count) for length, count in ((20, 3), (24, 4), (30, 5))]
    expected = [model(batch).total.item() for batch in batches]
    model.compile_encoders(counter)
    for batch, total in zip(batches, expected, strict=True):
        losses = model(batch)
        losses.total.backward()
        assert losses.total.item() == pytest.approx(total, rel=1e-5)
    assert counter.frame_count == 2  # an encoder each
    assert all(p.grad is not None for p in model.parameters())


def test_compiled_step_gives_the_same_gradients(model):
    batch = make_batch([20, 20, 20])
    model(batch).total.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.compile_encoders("aot_eager")  # all of the compiler but for its kernels
    model(batch).total.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-5)
