"""Evaluation of generator and discriminator on held-out text. Read evaluate.py first."""
