"""Zero-shot classification with word vectors: labels matched to texts. Read model.py first."""
