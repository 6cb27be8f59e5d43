"""From text to tokens on disk: readers, cleaning, vocabulary, packing, loading."""
