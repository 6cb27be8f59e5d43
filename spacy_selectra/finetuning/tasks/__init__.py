"""Tasks: their data, their heads, their losses and scores. Read registry.py first."""
