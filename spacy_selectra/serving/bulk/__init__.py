"""Annotation of large data: files in and out, with several processes."""
