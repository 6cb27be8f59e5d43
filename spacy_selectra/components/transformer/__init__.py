"""`spacy-selectra.SelectraModel.v1`. Read architecture.py first."""
