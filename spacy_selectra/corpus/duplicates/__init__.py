"""Copies and near copies: signatures of texts, and what is left out because of them."""
