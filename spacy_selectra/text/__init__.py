"""Tokenizer, offsets, windows, alignment and entity tags. Read tokenizer.py first."""
