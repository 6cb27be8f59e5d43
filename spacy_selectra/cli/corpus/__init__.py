"""`selectra corpus`: clean, sample, pack and inspect text."""
