"""From trained parts to an installable pipeline. Read assemble.py first."""
