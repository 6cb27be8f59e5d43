"""spaCy architectures, components, corpus readers and callbacks, registered as entry points."""
