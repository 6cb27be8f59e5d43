"""Labels matched to texts by the words of both. Read model.py first."""
