"""Telling a tight cluster of rows from all others: two normal distributions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_FEWEST = 12  # rows a distribution can be fitted to
_ITERATIONS = 50
_NEIGHBOURS = 15
_SEEDS = 4_000
_COMPARED = 2_000
# Eigenvalues this much above what noise gives are directions of their own.
_STANDS_OUT = 1.25


@dataclass(frozen=True)
class Normal:
    """A normal distribution in E dimensions: mean (E,) and Cholesky factor (E, E)."""

    mean: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, rows: Tensor) -> Normal:
        """Of (n, E) rows; the covariance is shrunk towards a sphere by E / (n + E).

        The weight is that of E rows drawn from the sphere, a simple form of the shrinkage of
        Ledoit and Wolf 2004, and makes fewer rows than dimensions usable.
        """
        count, width = rows.shape
        mean = rows.mean(dim=0)
        centred = rows - mean
        covariance = centred.T @ centred / max(1, count - 1)
        shrinkage = width / (count + width)
        sphere = covariance.trace() / width
        covariance *= 1 - shrinkage
        covariance.diagonal().add_(shrinkage * sphere + 1e-12)
        return cls(mean, torch.linalg.cholesky(covariance))

    def whiten(self, rows: Tensor) -> Tensor:
        """(n, E) rows in coordinates in which this is the standard normal distribution."""
        return torch.linalg.solve_triangular(self.factor, (rows - self.mean).T, upper=False).T

    def log_density(self, rows: Tensor) -> Tensor:
        """(n,), without the constant."""
        return -0.5 * self.whiten(rows).square().sum(dim=1) - self.factor.diagonal().log().sum()


@dataclass(frozen=True)
class Split:
    """Rows told apart.

    Attributes:
        cluster: distribution of the cluster.
        others: distribution of all other rows.
        prior: log odds of the cluster before a row is looked at.
        log_odds: (N,) after it.
        likelihood: log-likelihood of all rows, without the constant.
    """

    cluster: Normal
    others: Normal
    prior: float
    log_odds: Tensor
    likelihood: float

    @property
    def inside(self) -> Tensor:
        """(N,) bool, the rows of the cluster."""
        return self.log_odds > 0

    @property
    def overlap(self) -> float:
        """Expected wrong verdicts, of either kind, a row of the cluster (the Bayes error)."""
        wrong = torch.sigmoid(-self.log_odds.abs()).sum()
        return float(wrong) / max(1, int(self.inside.sum()))

    def classify(self, rows: Tensor) -> Tensor:
        """(n,) log odds of other rows."""
        return self.prior + self.cluster.log_density(rows) - self.others.log_density(rows)


def separate(rows: Tensor, start: Tensor) -> Split | None:
    """Fit both distributions, each to the rows it explains better, until nothing moves.

    This is classification EM (Celeux and Govaert 1992), which in so many dimensions differs
    little from EM.

    Args:
        rows: (N, E) float64.
        start: (N,) bool, the first guess of the cluster.

    Returns:
        None if one of the two runs out of rows.
    """
    inside = start
    seen: set[bytes] = set()
    split: Split | None = None
    for _ in range(_ITERATIONS):
        count = int(inside.sum())
        if min(count, len(rows) - count) < _FEWEST:
            return None
        seen.add(inside.numpy().tobytes())
        cluster, others = Normal.fit(rows[inside]), Normal.fit(rows[~inside])
        share = count / len(rows)
        of_cluster = cluster.log_density(rows) + math.log(share)
        of_others = others.log_density(rows) + math.log(1 - share)
        likelihood = float(torch.logaddexp(of_cluster, of_others).sum())
        prior = math.log(share / (1 - share))
        split = Split(cluster, others, prior, of_cluster - of_others, likelihood)
        inside = split.inside
        if inside.numpy().tobytes() in seen:
            break
    return split


def spread(rows: Tensor) -> float:
    """Standard deviation per element of (n, E) rows, but for what they have in common.

    Leading directions, an eighth of E at most, are left out as far as their eigenvalue is beyond
    what noise gives, s^2 (1 + sqrt(E / n))^2 (Marchenko and Pastur 1967).
    """
    count, width = rows.shape
    centred = rows - rows.mean(dim=0)
    values = torch.linalg.eigvalsh(centred.T @ centred / max(1, count - 1)).flip(0)
    left_out = 0
    for left_out in range(1 + min(width // 8, count // 8)):
        variance = float(values[left_out:].mean())
        edge = variance * (1 + math.sqrt((width - left_out) / count)) ** 2
        if float(values[left_out]) <= _STANDS_OUT * edge:
            break
    freedom = (count - 1) / max(1, count - 1 - left_out)
    return math.sqrt(max(0.0, float(values[left_out:].mean()) * freedom))


def drift(rows: Tensor, inside: Tensor) -> float:
    """Distance between the centres of a cluster and of all other rows, as a multiple of the root
    mean square of the distances from the cluster's centre."""
    centre = rows[inside].mean(dim=0)
    length = (rows[inside] - centre).square().sum(dim=1).mean().sqrt()
    return float((centre - rows[~inside].mean(dim=0)).norm() / length.clamp(min=1e-12))


def random_projection(rows: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """(N, width), onto a random subspace; independent noise of any width keeps its width."""
    gaussian = torch.randn((rows.shape[1], width), generator=generator, dtype=rows.dtype)
    return rows @ torch.linalg.qr(gaussian)[0]


def neighbours_beyond_chance(rows: Tensor, seed: int = 0) -> float:
    """Share of rows with a neighbour nearer than any is among as many random rows.

    Near means a large cosine in whitened coordinates; the random rows come from the normal
    distribution fitted to the rows. Trained rows have relatives, noise has none. At most
    2,000 rows are compared.
    """
    generator = torch.Generator().manual_seed(seed)
    if len(rows) > _COMPARED:
        rows = rows[torch.randperm(len(rows), generator=generator)[:_COMPARED]]
    normal = Normal.fit(rows)
    noise = torch.randn(rows.shape, generator=generator, dtype=rows.dtype) @ normal.factor.T
    by_chance = _nearest(noise).max()
    return float((_nearest(rows) > by_chance).double().mean())


def sample_rows(preferred: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Ascending indices of about `size` rows; up to a half are drawn from those `preferred`."""
    if len(preferred) <= size:
        return torch.arange(len(preferred))
    order = torch.randperm(len(preferred), generator=generator)
    wanted = preferred[order]
    first = order[wanted][: size // 2]
    return torch.cat([first, order[~wanted][: size - len(first)]]).sort().values


def tight_starts(rows: Tensor, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """(N,) bool masks of up to `count` dense places, the densest first, which do not overlap."""
    if len(rows) <= _NEIGHBOURS:
        return
    seeds = torch.randperm(len(rows), generator=generator)[:_SEEDS].sort().values
    nearest = [_neighbours(rows, part) for part in seeds.split(256)]
    radius = torch.cat([distance for distance, _ in nearest])
    members = torch.cat([index for _, index in nearest])
    used = torch.zeros(len(rows), dtype=torch.bool)
    for place in radius.argsort().tolist():
        if used[seeds[place]]:
            continue
        near = members[place]
        distance = (rows - rows[near].mean(dim=0)).square().sum(dim=1)
        mask = distance < 1.6 * distance[near].median()
        used |= mask
        used[near] = True
        yield mask
        count -= 1
        if count == 0:
            return


def _neighbours(rows: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared distance of some rows to their nearest ones, and these, themselves included."""
    squares = rows.square().sum(dim=1)
    distance = squares[part, None] + squares - 2 * rows[part] @ rows.T
    nearest = distance.topk(_NEIGHBOURS + 1, largest=False)
    return nearest.values.sum(dim=1) / _NEIGHBOURS, nearest.indices


def _nearest(rows: Tensor) -> Tensor:
    """(n,) cosine of each row and the row nearest to it, in whitened coordinates."""
    white = torch.nn.functional.normalize(Normal.fit(rows).whiten(rows), dim=1)
    cosines = white @ white.T
    cosines.fill_diagonal_(-1.0)
    return cosines.max(dim=1).values
