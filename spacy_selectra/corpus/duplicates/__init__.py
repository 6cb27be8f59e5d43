"""Deduplication: signatures of texts, and dropping duplicates and near-duplicates."""
