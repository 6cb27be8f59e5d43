"""Fine-tuning: training an encoder with a head on labelled data. Read finetune.py first."""
