"""The ELECTRA network in plain torch over packed sequences."""
