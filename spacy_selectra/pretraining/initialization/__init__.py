"""Weights before the first step: random, counted, taken over or repaired. Read build.py first."""
