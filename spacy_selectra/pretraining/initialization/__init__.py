"""Initial weights: random, counted, taken over or repaired. Read init_from.py first."""
