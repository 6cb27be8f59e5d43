"""Labelled data from files and the hub. Read dataset.py first."""
