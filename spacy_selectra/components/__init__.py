"""spaCy's side: architectures, components, readers and callbacks, registered as entry points."""
