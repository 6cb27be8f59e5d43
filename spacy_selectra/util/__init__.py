"""Files, settings, progress, signals and processes: what every stage needs, and no stage owns."""
