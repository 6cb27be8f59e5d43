from __future__ import annotations

import torch
from torch import Tensor, nn

from spacy_selectra.pretraining.model import TiedEmbeddings


def use(table: Tensor, lookup) -> Tensor:
    first, second = torch.tensor([3, 3, 0, 5]), torch.tensor([5, 1])
    hidden = (lookup(first) * torch.arange(4.0)[:, None]).sum() + lookup(second).pow(2).sum()
    return hidden + (torch.ones(2, 4) @ table.t()).square().sum()


def test_gradient_is_that_of_three_separate_ones():
    torch.manual_seed(0)
    plain = nn.Embedding(7, 4, padding_idx=0)
    use(plain.weight, plain).backward()
    ours = nn.Parameter(plain.weight.detach().clone())
    tied = TiedEmbeddings(ours, 0)
    use(tied.table, tied).backward()
    torch.testing.assert_close(ours.grad, plain.weight.grad)


def test_parts_of_a_batch_add_up():
    torch.manual_seed(0)
    table = nn.Parameter(torch.randn(7, 4))
    for _ in range(2):
        tied = TiedEmbeddings(table, None)
        use(tied.table, tied).backward()
    assert table.grad is not None
    twice = table.grad.clone()
    table.grad = None
    tied = TiedEmbeddings(table, None)
    use(tied.table, tied).backward()
    assert table.grad is not None
    torch.testing.assert_close(twice, 2 * table.grad)
