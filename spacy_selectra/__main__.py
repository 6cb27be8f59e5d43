"""`python -m spacy_selectra`: the same commands as `python -m spacy selectra`."""

from spacy_selectra.cli import main

if __name__ == "__main__":
    main()
