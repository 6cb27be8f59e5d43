"""The encoder's fast paths on CPUs, each tested equal to encoder/electra.py."""
