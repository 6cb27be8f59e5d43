"""Replaced-token detection: objective, optimiser, trainer, evaluation."""
