"""`spacy-selectra.ClsTextCat.v1`: text classification from the [CLS] vector."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable
from typing import Any

from spacy.util import replace_model_node
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import split_trf_batch
from thinc.api import Dropout, Linear, Logistic, Model, Softmax, chain
from thinc.types import Floats2d
from transformers.utils import ModelOutput

from spacy_selectra.components.transformer.listener import Listener

# Initial bias of a label added after training, relative to the mean of the other biases. It takes
# exp(-10) < 5e-5 of their probability, and a few hundred training steps can raise it.
_NEW_LABEL_LOGIT = -10.0


def cls_textcat(
    exclusive_classes: bool,
    upstream: str = "*",
    grad_factor: float = 1.0,
    tok2vec: Model | None = None,
    nO: int | None = None,  # noqa: N803 - thinc's name for it
) -> Model:
    """A linear classifier on the encoder's [CLS] vector, for spaCy's `textcat`.

    ELECTRA fine-tuning uses this vector for sentence classification (Clark et al. 2020, section
    3.1; Devlin et al. 2019, section 3.2). Listeners for token vectors do not return it, since it
    belongs to no token. With several windows, their [CLS] vectors are averaged.

    Labels can be added to a trained classifier (`textcat.add_label`): the scores of the others
    change by less than 1e-4, and that of the new label is near 0 until it is trained.

    Args:
        exclusive_classes: softmax over the classes; otherwise a sigmoid for each.
        upstream: name of the transformer component to listen to; "*" for any.
        grad_factor: factor for the gradients of the encoder. With 0 only weight decay still changes
            the encoder; to prevent that, freeze the transformer.
        tok2vec: the component's own SelectraModel instead of a listener, as created by
            `nlp.replace_listeners(..., ["model.tok2vec"])`.
        nO: number of classes; inferred from the labels if None.

    Returns:
        A layer from documents to (documents, nO) scores.
    """
    if tok2vec is None:
        source: Model = Listener(upstream)
    else:
        source = chain(tok2vec, split_trf_batch())
    vectors: Model = Model("cls-vectors", _forward, attrs={"grad_factor": grad_factor})
    if exclusive_classes:
        output: Model = Softmax(nO=nO)
    else:
        output = Linear(nO=nO)
    layers: list[Model] = [vectors, Dropout(), output]
    if not exclusive_classes:
        layers.append(Logistic())
    model: Model = chain(source, *layers)
    model.set_ref("output_layer", output)
    # `spacy debug model` finds the upstream component by this name
    model.set_ref("tok2vec", source)
    model.attrs["multi_label"] = not exclusive_classes
    # called by spaCy's textcat when a label is added
    model.attrs["resize_output"] = _resize_output
    if nO is not None:
        model.set_dim("nO", nO)
    return model


def _resize_output(model: Model, new_nO: int) -> Model:  # noqa: N803
    """Resize a classifier to `new_nO` outputs, with the weights of the existing ones."""
    output = model.get_ref("output_layer")
    model.set_dim("nO", new_nO, force=True)
    if not output.has_param("W"):
        output.set_dim("nO", new_nO, force=True)
        return model
    weights: Any = output.get_param("W")
    biases: Any = output.get_param("b")
    count, width = weights.shape
    if new_nO <= count:
        return model
    # a new layer, since optimizers store moments per layer, in the old shape
    kind = Linear if model.attrs["multi_label"] else Softmax
    larger: Model = kind(nO=new_nO, nI=width)
    new_weights: Any = model.ops.alloc2f(new_nO, width)
    new_weights[:count] = weights
    new_biases: Any = model.ops.alloc1f(new_nO)
    new_biases[:count] = biases
    new_biases[count:] = _NEW_LABEL_LOGIT + (0.0 if model.attrs["multi_label"] else biases.mean())
    larger.set_param("W", new_weights)
    larger.set_param("b", new_biases)
    replace_model_node(model, output, larger)
    return model


def _forward(
    model: Model, datas: list[TransformerData], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[TransformerData]]]:
    """(documents, H) mean of [CLS] over windows; zeros for documents without tokens."""
    xp = model.ops.xp
    hidden = [_hidden(data) for data in datas]
    width = next((array.shape[-1] for array in hidden if array is not None), 0)
    rows = model.ops.alloc2f(len(datas), width)
    for row, array in zip(rows, hidden, strict=True):
        if array is not None and array.shape[1]:
            row += array[:, 0].mean(axis=0)

    def backprop(d_rows: Floats2d) -> list[TransformerData]:
        gradients = []
        for d_row, data, array in zip(d_rows, datas, hidden, strict=True):
            if array is None:
                continue  # no gradient for documents without tokens
            d_hidden = xp.zeros_like(array)
            if array.shape[1]:
                d_hidden[:, 0] = d_row * (model.attrs["grad_factor"] / array.shape[0])
            output = ModelOutput(last_hidden_state=d_hidden)
            gradients.append(TransformerData(data.wordpieces, output, data.align))
        return gradients

    return rows, backprop


def _hidden(data: TransformerData) -> Any:
    """(windows, pieces, H), or None for a document without tokens."""
    return data.model_output.get("last_hidden_state")
