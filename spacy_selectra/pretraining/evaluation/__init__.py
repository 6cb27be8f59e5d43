"""What a pretraining is worth on held-out text. Read evaluate.py first."""
