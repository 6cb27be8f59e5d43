"""The ELECTRA encoder, its heads and its files. Read electra.py first."""
