"""Where the generated configuration files differ from the defaults, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """One configuration file.

    Attributes:
        about: the comment at its top.
        values: values that differ from the defaults, by `section.key`.
        notes: comments below the descriptions, by `section` or `section.key`.
    """

    about: str
    values: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)


PATHS = {"paths.corpus": "corpus/packed", "paths.tokenizer": "corpus/tokenizer"}
PATHS_NOTE = {"paths": "Usually set on the command line: --paths.corpus DIR --paths.tokenizer DIR"}

# For runs of minutes to hours: learns more per step than ELECTRA's recipe.
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
    "encoder.hidden_dropout_prob": "A text that is read once or twice cannot be overfitted.",
    "objective.mask_prob": "ELECTRA uses 0.15; in an hour a model learns more with 0.25.",
    "objective.corrective_lm_weight": "Without it, the last layers of a short run lose the "
    "identity of the words, and fine-tuning fails.",
    "optimizer.method": "With embeddings from co-occurrence, 300 steps of Muon on the embedded "
    "sample reach an AUC of 0.86, 950 steps of Adam 0.74.",
    "optimizer.beta2": "ELECTRA's 0.999 averages over about 1,000 steps, too many for a short run; "
    "0.98 averages over 50.",
    "optimizer.bias_correction": "Without it, the first steps are about three times as large. "
    "ELECTRA's warm-up of 10,000 steps makes up for that; 100 steps do not.",
}

LONG_NOTES = {
    **PATHS_NOTE,
    "optimizer.method": "As published; pretrain_tiny.cfg uses Muon.",
}
SMALL = {
    **PATHS,
    "encoder.preset": "small",
    "optimizer.matrix_learning_rate": 0.004,
    "schedule.restart_step": 150_000,
    "training.max_length": 512,
    "training.evaluate_every": 10_000,
}
RESTART = {"schedule.restart_step": "SELECTRA restarted its schedule half-way."}

RECIPES: dict[str, Recipe] = {
    "pretrain_sample": Recipe(
        "SELECTRA tiny on the embedded sample, in five minutes on two CPU cores. It shows that "
        "pretraining works; the generated sentences of the sample are no basis for a useful model.",
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
            "encoder.initializer_range": "On this text 0.03 works better than 0.05.",
        },
    ),
    "pretrain_tiny": Recipe(
        "SELECTRA tiny, for laptops: 4 layers, hidden size 256, sequences of 128 pieces. On two "
        "CPU cores, set a time budget, since all steps would take days: "
        "--training.max_seconds 2700\n\n"
        "  python -m spacy selectra pretrain configs/pretrain_tiny.cfg training/tiny \\\n"
        "    --paths.corpus corpus/packed",
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
        "SELECTRA small as published: 12 layers, hidden size 256, 50,000 entries of vocabulary, "
        "300,000 steps of 128 sequences of 512 pieces, a schedule that restarts half-way. For a "
        "GPU.",
        SMALL,
        {**LONG_NOTES, **RESTART, "generator.scale": "As in ELECTRA small."},
    ),
    "pretrain_medium": Recipe(
        "SELECTRA medium as published: 12 layers, hidden size 384, 50,000 entries of vocabulary, "
        "300,000 steps of 128 sequences of 512 pieces, a schedule that restarts half-way. For a "
        "GPU.",
        {**SMALL, "encoder.preset": "medium"},
        {**LONG_NOTES, **RESTART},
    ),
    "pretrain_base": Recipe(
        "ELECTRA base, the size of ELECTRICIDAD: 12 layers, hidden size 768, with the settings of "
        "Clark et al. 2020, table 6. For several GPUs; on one it takes very long.",
        {
            **SMALL,
            "encoder.preset": "base",
            "generator.scale": 0.3333,
            "optimizer.learning_rate": 0.0002,
            "schedule.restart_step": None,
            "training.max_steps": 766_000,
            "training.batch_size": 256,
        },
        {**LONG_NOTES, "generator.scale": "As in ELECTRA base."},
    ),
}


def _finetuning(
    name: str, about: str, data: str, files: tuple[str, str, str], max_length: int = 512
) -> Recipe:
    """SELECTRA's published recipe on a data set.

    Args:
        name: the data set, or the task and the data set with a slash between them.
        about: what the model learns.
        data: origin and format of the files.
        files: training, development and test file in assets/.
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
            "CoNLL-2002: one word and its IOB2 tag per line. Any file in this format will do.",
            ("conll2002/esp.train", "conll2002/esp.testa", "conll2002/esp.testb"),
        ),
        "nli": _finetuning(
            "nli/xnli",
            "Entailment: does the first text imply the second, contradict it, or leave it open? "
            "The component selectra_zero_shot can use such a model.",
            "XNLI, with machine-translated MultiNLI for training (`spacy project assets --extra`, "
            "then `spacy project run unpack`). InferES is smaller and written in Spanish; its .csv "
            "files can be used as they are.",
            (
                "xnli/XNLI-MT-1.0/multinli/multinli.train.es.tsv",
                "xnli/XNLI-1.0/xnli.dev.tsv",
                "xnli/XNLI-1.0/xnli.test.tsv",
            ),
            256,
        ),
        "paraphrase": _finetuning(
            "paraphrase/pawsx",
            "Paraphrase: do two sentences mean the same?",
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
            "A Universal Dependencies treebank in CoNLL-U; the labels are its UPOS column.",
            (
                "pos/es_ancora-ud-train.conllu",
                "pos/es_ancora-ud-dev.conllu",
                "pos/es_ancora-ud-test.conllu",
            ),
        ),
        "qa": _finetuning(
            "xquad",
            "Questions whose answer is a span of a text.",
            "SQuAD's JSON. Long texts are read in windows of max_length pieces.",
            (
                "questions/train-v1.1-es.json",
                "questions/dev-v1.1-es.json",
                "questions/xquad.es.json",
            ),
            384,
        ),
        "similarity": _finetuning(
            "sts_es",
            "Similarity: how close in meaning are two sentences, from 0 to 5?",
            "Tab-separated sentence1, sentence2, score.",
            ("sts/train.tsv", "sts/valid.tsv", "sts/test.tsv"),
            256,
        ),
        "topics": _finetuning(
            "topics/sib200",
            "Topics of single texts.",
            "SIB-200: columns index_id, category, text; or .jsonl with text and label. The "
            "training file defines the labels.",
            ("topics/train.tsv", "topics/dev.tsv", "topics/test.tsv"),
        ),
    }.items()
}
