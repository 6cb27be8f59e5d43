"""What the generated configuration files set differently from the defaults, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """One configuration file.

    Attributes:
        about: the comment at its head.
        values: values that are not the defaults, by `section.key`.
        notes: comments beside the descriptions, by `section` or `section.key`.
    """

    about: str
    values: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)


PATHS = {"paths.corpus": "corpus/packed", "paths.tokenizer": "corpus/tokenizer"}
PATHS_NOTE = {
    "paths": "Usually given on the command line: --paths.corpus DIR --paths.tokenizer DIR"
}

# Runs of minutes to hours: a recipe that learns more from each step than ELECTRA's.
SHORT = {
    **PATHS,
    "encoder.preset": "tiny",
    "encoder.init_embeddings": "cooccurrence",
    "encoder.initializer_range": 0.05,
    "encoder.hidden_dropout_prob": 0.0,
    "encoder.attention_probs_dropout_prob": 0.0,
    "objective.mask_prob": 0.25,
    "objective.corrective_lm_weight": 10.0,
    "optimizer.method": "muon",
    "optimizer.learning_rate": 0.001,
    "optimizer.beta2": 0.98,
    "optimizer.bias_correction": True,
    "schedule.warmup_steps": 100,
    "training.batch_size": 16,
}
SHORT_NOTES = {
    **PATHS_NOTE,
    "encoder.hidden_dropout_prob": "Text that is seen once or twice needs no dropout.",
    "objective.mask_prob": "ELECTRA predicts 15%; a run of an hour learns more from 25%.",
    "objective.corrective_lm_weight": "Without it, a short run forgets in its last layers which "
    "word it has read, and nothing can be fine-tuned on top of them.",
    "optimizer.method": "With embeddings from co-occurrence, 300 steps of Muon on the embedded "
    "sample reach an AUC of 0.86, 950 steps of Adam 0.74.",
    "optimizer.beta2": "The mean of the squares has to follow within some hundred steps; ELECTRA's "
    "0.999 is for a million.",
    "optimizer.bias_correction": "Without it, the first steps are three times as large. ELECTRA's "
    "warm-up of 10,000 steps hides that, a short one cannot.",
}

LONG_NOTES = {
    **PATHS_NOTE,
    "optimizer.method": "The published recipe is Adam's; see pretrain_tiny.cfg for Muon.",
}
SMALL = {
    **PATHS,
    "encoder.preset": "small",
    "optimizer.matrix_learning_rate": 0.004,
    "schedule.restart_step": 150_000,
    "training.max_length": 512,
    "training.evaluate_every": 10_000,
}
RESTART = {"schedule.restart_step": "SELECTRA restarted its schedule after half of the run."}

RECIPES: dict[str, Recipe] = {
    "pretrain_sample": Recipe(
        "SELECTRA tiny on the embedded sample, within five minutes on two slow CPU cores. It shows "
        "how pretraining works; generated sentences make no useful language model.",
        {
            **SHORT,
            "encoder.initializer_range": 0.03,
            "training.max_steps": 20_000,
            "training.max_seconds": 300,
            "training.max_length": 64,
            "training.log_every": 25,
            "training.checkpoint_every": 500,
        },
        {
            **SHORT_NOTES,
            "encoder.initializer_range": "In short runs on this text, 0.03 did better than 0.05.",
        },
    ),
    "pretrain_tiny": Recipe(
        "SELECTRA tiny, for laptops: 4 layers of 256, sequences of 128 pieces. On two CPU cores, "
        "set a time budget instead of waiting for all steps: --training.max_seconds 2700\n\n"
        "  selectra pretrain configs/pretrain_tiny.cfg training/tiny --paths.corpus corpus/packed",
        {
            **SHORT,
            "training.max_steps": 200_000,
            "training.max_length": 128,
            "training.log_every": 50,
            "training.checkpoint_every": 2_000,
            "training.evaluate_every": 2_000,
        },
        SHORT_NOTES,
    ),
    "pretrain_small": Recipe(
        "SELECTRA small as published: 12 layers of 256, vocabulary of 50,000, 300,000 steps of 128 "
        "sequences of 512 pieces, with a schedule that restarts half-way. Meant for a GPU.",
        SMALL,
        {**LONG_NOTES, **RESTART, "generator.scale": "A quarter, as in ELECTRA small."},
    ),
    "pretrain_medium": Recipe(
        "SELECTRA medium as published: 12 layers of 384, vocabulary of 50,000, 300,000 steps of "
        "128 sequences of 512 pieces, with a schedule that restarts half-way. Meant for a GPU.",
        {**SMALL, "encoder.preset": "medium"},
        {**LONG_NOTES, **RESTART},
    ),
    "pretrain_base": Recipe(
        "ELECTRA base, the size of ELECTRICIDAD: 12 layers of 768, with the settings of Clark et "
        "al. 2020, table 6. Meant for several GPUs, or for one and patience.",
        {
            **SMALL,
            "encoder.preset": "base",
            "generator.scale": 0.3333,
            "optimizer.learning_rate": 0.0002,
            "schedule.restart_step": None,
            "training.max_steps": 766_000,
            "training.batch_size": 256,
        },
        {**LONG_NOTES, "generator.scale": "A third, as in ELECTRA base."},
    ),
}


def _finetuning(
    name: str, about: str, data: str, files: tuple[str, str, str], max_length: int = 512
) -> Recipe:
    """SELECTRA's published recipe on a data set.

    Args:
        name: the data set, or the task and the data set with a slash between them.
        about: what is learnt.
        data: where the files come from and what they contain.
        files: training, development and test file below assets/.
        max_length: pieces of the longest sequence.
    """
    task, _, data_set = name.rpartition("/")
    train, dev, test = (f"assets/{path}" for path in files)
    return Recipe(
        about,
        {
            "task.name": task or data_set,
            "data.name": data_set,
            "data.train": train,
            "data.dev": dev,
            "data.test": test,
            "encoder.path": "training/tiny/pretrain/discriminator",
            "training.max_length": max_length,
        },
        {"data": data, "training": "SELECTRA's published recipe."},
    )


_COMMAND = (
    "\n\n  python -m spacy selectra finetune configs/finetune_{0}.cfg training/{0} --trials 5"
)
RECIPES |= {
    f"finetune_{task}": Recipe(recipe.about + _COMMAND.format(task), recipe.values, recipe.notes)
    for task, recipe in {
        "ner": _finetuning(
            "conll2002",
            "Named entities.",
            "CoNLL-2002: columns with a word and its IOB2 tag. Any file of that form will do.",
            ("conll2002/esp.train", "conll2002/esp.testa", "conll2002/esp.testb"),
        ),
        "nli": _finetuning(
            "nli/xnli",
            "Entailment: does the first text imply the second, contradict it, or leave it open? "
            "The component selectra_zero_shot needs such a model.",
            "XNLI, trained on MultiNLI in machine translation (`spacy project assets --extra`, "
            "then `spacy project run unpack`). InferES is smaller and native Spanish; its .csv "
            "files are read as they are.",
            (
                "xnli/XNLI-MT-1.0/multinli/multinli.train.es.tsv",
                "xnli/XNLI-1.0/xnli.dev.tsv",
                "xnli/XNLI-1.0/xnli.test.tsv",
            ),
            256,
        ),
        "paraphrase": _finetuning(
            "paraphrase/pawsx",
            "Paraphrase: do two sentences say the same?",
            "PAWS-X: columns id, sentence1, sentence2, label (1 = paraphrase).",
            (
                "pawsx/x-final/es/translated_train.tsv",
                "pawsx/x-final/es/dev_2k.tsv",
                "pawsx/x-final/es/test_2k.tsv",
            ),
            256,
        ),
        "pos": _finetuning(
            "ud_pos/ud_ancora",
            "Parts of speech.",
            "A Universal Dependencies treebank in CoNLL-U; its UPOS column is learnt.",
            (
                "pos/es_ancora-ud-train.conllu",
                "pos/es_ancora-ud-dev.conllu",
                "pos/es_ancora-ud-test.conllu",
            ),
        ),
        "qa": _finetuning(
            "xquad",
            "Questions that are answered by a span of a text.",
            "SQuAD's JSON. Answers are searched in windows of max_length pieces.",
            (
                "questions/train-v1.1-es.json",
                "questions/dev-v1.1-es.json",
                "questions/xquad.es.json",
            ),
            384,
        ),
        "similarity": _finetuning(
            "sts_es",
            "Similarity: how close are two sentences in meaning, from 0 to 5?",
            "Tab-separated sentence1, sentence2, score.",
            ("sts/train.tsv", "sts/valid.tsv", "sts/test.tsv"),
            256,
        ),
        "topics": _finetuning(
            "topics/sib200",
            "Topics of single texts.",
            "SIB-200: columns index_id, category, text; or .jsonl with text and label. The labels "
            "are those of the training file.",
            ("topics/train.tsv", "topics/dev.tsv", "topics/test.tsv"),
        ),
    }.items()
}
