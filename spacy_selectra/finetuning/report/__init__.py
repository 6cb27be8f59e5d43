"""One table of models by tasks, as text, page and picture."""
