"""Use of a trained pipeline: annotation of files, and an HTTP service."""
