"""Text to packed corpora: reading, cleaning, mixing, vocabularies, packing."""
