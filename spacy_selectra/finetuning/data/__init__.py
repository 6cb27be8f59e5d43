"""Labelled data: where it comes from, what it looks like, whether it is sound."""
