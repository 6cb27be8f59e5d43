"""spaCy glue: architectures, components, readers, optimiser."""
