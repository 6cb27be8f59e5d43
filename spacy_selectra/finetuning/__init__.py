"""An encoder with a head, trained on a task. Read finetune.py first."""
