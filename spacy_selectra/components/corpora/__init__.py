"""Corpora for `spacy train`. Read labelled.py first."""
