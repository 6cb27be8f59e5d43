"""Registers of the sample: a module each, with its words and its templates.

Every module has `WORDS` and the templates of a document: `OPENINGS`, `BODY`, `CLOSINGS`.
Modules of a topic also have `LABEL`, the topic's name. The notation of templates is
described in `scene`, that of words in `pools.Lexicon`.
"""
