"""Files, settings, progress, signals and processes, for all stages."""
