"""Packed corpora: memory-mapped shards of pieces. Read format.py first."""
