"""Initial weights other than random: from co-occurrence, a checkpoint, or a repaired one.

Read init_from.py first.
"""
