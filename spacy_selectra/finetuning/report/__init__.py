"""The table of encoders. Read collect.py first."""
