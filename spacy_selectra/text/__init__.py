"""Strings, pieces and offsets: the tokenizer, windows and alignment. Read tokenizer.py first."""
