"""Registers of the sample: a module each, with its words and its templates.

Every module has `WORDS` and the templates of a document: `OPENINGS`, `BODY`, `CLOSINGS`.
All but `press`, which occurs in raw text only, have `LABEL`, the name of the topic or genre. The
notation of templates is described in `scene`, that of words in `pools.Lexicon`.
"""
