"""Tasks: table of tasks, inputs, losses and scores. Read registry.py first."""
