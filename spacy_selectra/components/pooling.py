"""`spacy-selectra.reduce_first.v1`: a word's vector is that of its first piece."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable
from typing import Any, cast

from thinc.api import Model
from thinc.types import Floats2d, Ragged


def reduce_first() -> Model[Ragged, Floats2d]:
    """The first row of each sequence (Devlin et al. 2019, section 5.3); zeros where there is none.

    thinc's own `reduce_first.v1` fails at a sequence without rows, and white space and control
    characters are words without pieces.
    """
    return Model("reduce_first", _forward)


def _forward(
    model: Model[Ragged, Floats2d], pieces: Ragged, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Ragged]]:
    xp = model.ops.xp
    lengths: Any = pieces.lengths
    some = lengths > 0
    rows = (xp.cumsum(lengths) - lengths)[some]
    data = cast(Floats2d, pieces.data)
    first = model.ops.alloc2f(len(lengths), data.shape[1])
    first[some] = data[rows]

    def backprop(gradient: Floats2d) -> Ragged:
        spread = model.ops.alloc2f(*data.shape)
        spread[rows] = gradient[some]
        return Ragged(spread, lengths)

    return first, backprop
