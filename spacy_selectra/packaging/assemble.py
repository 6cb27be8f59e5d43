"""Assembling a pipeline from trained parts: transformer, ner, textcat, zero_shot, replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.ner_pipeline import entity_pipeline, is_token_classifier
from spacy_selectra.packaging.pipeline_scores import calibrate_entities
from spacy_selectra.packaging.storage import round_pipeline_to_half, store_common_weights_once
from spacy_selectra.serving.records import load_pipeline, zero_shot_component
from spacy_selectra.util.files import atomic_directory, read_yaml

if TYPE_CHECKING:
    from spacy.language import Language

ABOUT_KEYS = (
    *("description", "author", "email", "url", "license", "sources", "limits"),
    *("watts", "co2_grams_per_kwh"),
)
LISTENER = "model.tok2vec"  # path of the listener in the configuration of all architectures
OUR_TRANSFORMER = "spacy-selectra.SelectraModel.v1"
PROBES = (
    "El niño comió piñón en Cádiz con Ana Ibáñez, de Telefónica.",
    "La selección ganó el partido en Bogotá.",
    "¿Qué pingüino? ¡Ninguno!",
)
# of words that every matching model of Spanish knows
PROBE_LABELS = ("deportes de la ciudad", "economía en el campo")
TOLERANCE = 1e-4  # of probabilities, before and after saving


@dataclass(frozen=True)
class Assembly:
    """The assembled pipeline.

    Attributes:
        components: names in the order in which they run.
        shared_transformer: whether `textcat` listens to the transformer of `ner`.
        megabytes: size of the directory in MB.
    """

    components: list[str]
    shared_transformer: bool
    megabytes: float


def assemble_pipeline(
    output: str | Path,
    *,
    ner: str | Path,
    name: str,
    version: str,
    textcat: str | Path | None = None,
    entailment: str | Path | None = None,
    matching: str | Path | None = None,
    discriminator: str | Path | None = None,
    pretraining: Sequence[str | Path] = (),
    about: str | Path | None = None,
    hypothesis_template: str | None = None,
    calibrate_on: str | Path | None = None,
    half: bool = False,
    fraction_bits: int = 10,
) -> Assembly:
    """Write a self-contained pipeline directory.

    `textcat` shares the transformer of `ner` if it was trained on the same, frozen weights;
    otherwise it keeps its own transformer. Components for zero-shot labels and replaced words have
    their own models, because fine-tuning changed the shared encoder.

    Args:
        output: directory to write; replaced atomically.
        ner: output of `spacy train` with `transformer` and `ner`, or `best/` of a `finetune` for
            entities, see `entity_pipeline`; also an assembled pipeline, of which `textcat` and
            zero-shot labels are replaced if they are given.
        name: name in the package, without the language: `selectra_tiny`.
        version: version of the package.
        textcat: output of `spacy train` with `transformer` and `textcat`.
        entailment: sequence-pair classifier in transformers' format, for zero-shot labels.
        matching: model of `labels match`, for zero-shot labels instead of `entailment`.
        discriminator: ELECTRA discriminator in transformers' format, for replaced words; not
            needed if they were trained together with `ner`.
        pretraining: directories of the pretraining runs, one continuing the other, for the model
            card; that of `discriminator` if there are none. Without both, the card repeats the
            record in the meta of `ner`.
        about: YAML file with `description`, `author`, `email`, `url`, `license`,
            `sources` (name, url, license, use), `limits`; `watts` (power during pretraining) and
            `co2_grams_per_kwh`, for estimates of energy and CO2.
        hypothesis_template: zero-shot template with {}; the component's default if None.
        calibrate_on: held-out entities in CoNLL columns, to calibrate their scores on.
        half: round all encoders' weights to half precision and store them in 16 bits.
        fraction_bits: with `half`, bits of each weight's fraction that are kept.

    Weights that are the same in `zero_shot` and `replaced`, for instance after fine-tuning with
    `frozen_layers`, are stored once.

    Raises:
        SelectraError: a part is missing or lacks its component, there are two models for zero-shot
            labels or replaced words, or the saved pipeline gives other results than the one in
            memory.
    """
    if entailment is not None and matching is not None:
        raise SelectraError("zero-shot labels need one model, of entailment or matching, not both")
    nlp = entity_pipeline(ner) if is_token_classifier(ner) else _trained(ner, "ner")
    if discriminator is not None and "replaced" in nlp.pipe_names:
        raise SelectraError(f"{ner}: detects replaced words already, without {discriminator}")
    shared = False
    for component, given in (("textcat", textcat), ("zero_shot", matching or entailment)):
        if given is not None and component in nlp.pipe_names:
            nlp.remove_pipe(component)
    if textcat is not None:
        shared = _add_textcat(nlp, _trained(textcat, "textcat"))
    template = {} if hypothesis_template is None else {"hypothesis_template": hypothesis_template}
    for factory, component, model, config in (
        ("selectra_zero_shot", "zero_shot", matching or entailment, template),
        ("selectra_replaced", "replaced", discriminator, {}),
    ):
        if model is not None:
            if not (Path(model) / "config.json").is_file():
                raise SelectraError(f"{model}: no model directory (config.json is missing)")
            nlp.add_pipe(factory, name=component, config={"model": str(model), **config})
    runs = [Path(run) for run in pretraining]
    if discriminator is not None and not runs:
        runs = [Path(discriminator).parent]
    _set_meta(nlp, name, version, about, runs)
    if matching is not None:
        _add_origin(nlp.meta, zero_shot_component(nlp).loaded_model.model.origin)
    if half:
        round_pipeline_to_half(nlp, fraction_bits)
    if calibrate_on is not None:
        calibrate_entities(nlp, calibrate_on)
    expected = _outputs(nlp)
    with atomic_directory(output) as directory:
        nlp.to_disk(directory)
        store_common_weights_once(directory)
        _forget_training_paths(directory / "config.cfg")
        _require_equal(expected, _outputs(load_pipeline(directory)))
    size = sum(path.stat().st_size for path in Path(output).rglob("*") if path.is_file())
    return Assembly(list(nlp.pipe_names), shared, size / 1e6)


def _trained(directory: str | Path, component: str) -> Language:
    if not (Path(directory) / "config.cfg").is_file():
        raise SelectraError(f"{directory}: not a trained pipeline (config.cfg is missing)")
    nlp = load_pipeline(directory)
    if component not in nlp.pipe_names:
        raise SelectraError(
            f"{directory}: has no component '{component}' (it has: {', '.join(nlp.pipe_names)})"
        )
    return nlp


def _add_textcat(nlp: Language, source: Language) -> bool:
    """Add the textcat of `source`; returns whether both share one transformer."""
    listens = _listens_to_transformer(source, "textcat")
    shared = listens and _same_transformer(nlp, source)
    if listens and not shared:
        source.replace_listeners("transformer", "textcat", [LISTENER])
    nlp.add_pipe("textcat", source=source)
    return shared


def _listens_to_transformer(nlp: Language, component: str) -> bool:
    if "transformer" not in nlp.pipe_names:
        return False
    transformer: Any = nlp.get_pipe("transformer")
    return component in transformer.listening_components


def _same_transformer(first: Language, second: Language) -> bool:
    if "transformer" not in first.pipe_names:
        return False
    models: list[Any] = [nlp.get_pipe("transformer") for nlp in (first, second)]
    return models[0].model.to_bytes() == models[1].model.to_bytes()


def _set_meta(
    nlp: Language,
    name: str,
    version: str,
    about: str | Path | None,
    runs: Sequence[Path],
) -> None:
    from spacy_selectra.components.requirements import runtime_requirements

    requirements = runtime_requirements()
    said = _read_about(about) if about is not None else {}
    power = {key: said.pop(key, None) for key in ("watts", "co2_grams_per_kwh")}
    meta = {
        "name": name,
        "version": version,
        "requirements": requirements,
        # otherwise spaCy requires the current version and warns about every older one
        "spacy_version": next(
            item.removeprefix("spacy") for item in requirements if item[5:6] in "<>="
        ),
        "performance": {},
        "training": training_record(runs, **power) or nlp.meta.get("training", {}),
        **said,
    }
    nlp.meta.update(meta)


def _add_origin(meta: dict[str, Any], origin: Mapping[str, Any]) -> None:
    """Add the training data of a matching model to the meta; it is stored with the model."""
    for key in ("sources", "limits"):
        known = list(meta.get(key) or [])
        meta[key] = known + [one for one in origin.get(key) or [] if one not in known]
    meta["matching"] = {key: origin[key] for key in ("vectors", "pairs") if key in origin}


def _read_about(path: str | Path) -> dict[str, Any]:
    about = read_yaml(path)
    if not isinstance(about, dict):
        raise SelectraError(f"{path}: expected a mapping with {', '.join(ABOUT_KEYS)}")
    if unknown := sorted(set(about) - set(ABOUT_KEYS)):
        raise SelectraError(f"{path}: unknown key '{unknown[0]}' (known: {', '.join(ABOUT_KEYS)})")
    return about


def training_record(
    runs: Sequence[Path],
    watts: float | None = None,
    co2_grams_per_kwh: float | None = None,
) -> dict[str, Any]:
    """Steps, pieces and hours of pretraining runs, in all; empty if none has a log.

    Args:
        runs: their directories.
        watts: power during pretraining, for an estimate of the energy.
        co2_grams_per_kwh: carbon intensity of the electricity, for an estimate of the CO2.
    """
    logs = [run / "log.jsonl" for run in runs]
    texts = [log.read_text(encoding="utf-8").splitlines() for log in logs if log.is_file()]
    last = [json.loads(rows[-1]) for rows in texts if rows]
    if not last:
        return {}
    hours = sum(row["elapsed_seconds"] for row in last) / 3600
    record: dict[str, Any] = {
        "pretraining steps": sum(row["step"] for row in last),
        "pretraining tokens": sum(row["tokens_seen"] for row in last),
        "pretraining hours": round(hours, 2),
    }
    if watts is not None:
        energy = hours * watts / 1000
        record[f"energy of pretraining in kWh, estimated at {watts:g} W"] = round(energy, 3)
        if co2_grams_per_kwh is not None:
            record[f"CO2 of pretraining in grams, at {co2_grams_per_kwh:g} g/kWh"] = round(
                energy * co2_grams_per_kwh, 1
            )
    return record


def _forget_training_paths(path: Path) -> None:
    """Remove paths from a config.cfg that exist only where the parts were trained."""
    from spacy.util import load_config

    config = load_config(path, interpolate=False)
    _forget_paths(config)
    config.to_disk(path)


def _forget_paths(section: dict[str, Any]) -> None:
    own_transformer = section.get("@architectures") == OUR_TRANSFORMER
    for key, value in section.items():
        if isinstance(value, dict):
            _forget_paths(value)
        elif isinstance(value, str) and (
            (own_transformer and key == "name") or ("/" in value and Path(value).exists())
        ):
            section[key] = None


def _outputs(nlp: Language) -> list[dict[str, Any]]:
    """Results of all components for the probe sentences."""
    docs = list(nlp.pipe(PROBES))
    results: list[dict[str, Any]] = [
        {"entities": [(ent.text, ent.label_) for ent in doc.ents], "cats": dict(doc.cats)}
        for doc in docs
    ]
    for result, doc in zip(results, docs, strict=True):
        result["words"] = [
            (token.tag_, token.pos_, str(token.morph), token.lemma_, token.is_sent_start)
            for token in doc
        ]
    if "replaced" in nlp.pipe_names:
        for result, doc in zip(results, docs, strict=True):
            result["replaced"] = {token.i: token._.replaced for token in doc}
    if "zero_shot" in nlp.pipe_names:
        rows = zero_shot_component(nlp).classify(docs, PROBE_LABELS)
        for result, row in zip(results, rows, strict=True):
            result["zero_shot"] = row
    return results


def _require_equal(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    for text, first, second in zip(PROBES, before, after, strict=True):
        for key, value in first.items():
            if not _equal(value, second.get(key)):
                raise SelectraError(
                    f"the saved pipeline differs from the one in memory: {key} of '{text}' was "
                    f"{value}, is {second.get(key)}"
                )


def _equal(first: Any, second: Any) -> bool:
    if not isinstance(first, dict):
        return first == second
    return first.keys() == second.keys() and np.allclose(
        list(first.values()), list(second.values()), atol=TOLERANCE
    )
