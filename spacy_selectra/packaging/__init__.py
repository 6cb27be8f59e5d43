"""From trained parts to an installable pipeline."""
