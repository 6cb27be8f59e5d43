"""Words and names of the sample, by class. Lists only: grammar is in the parent package."""
