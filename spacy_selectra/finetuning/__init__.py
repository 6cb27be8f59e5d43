"""Tasks, heads and trainer for supervised fine-tuning."""
