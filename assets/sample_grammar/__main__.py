"""Write the embedded sample again, or another of its kind; the same seed gives the same bytes.

python assets/sample_grammar assets/sample
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if not __package__:  # run as a directory: its parent is where it can be imported from
    sys.path.insert(0, str(Path(__file__).parents[1]))

from sample_grammar.writer import DEFAULT_DOCUMENTS, DEFAULT_SEED, write_sample
from spacy_selectra.errors import SelectraError


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="directory to write; an existing one is replaced")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another: other sentences")
    parser.add_argument("--documents", type=int, default=DEFAULT_DOCUMENTS, help="of raw text")
    parser.add_argument("--json", action="store_true", help="print sizes as JSON")
    arguments = parser.parse_args()
    try:
        sizes = write_sample(arguments.out, arguments.seed, arguments.documents)
    except SelectraError as error:
        parser.exit(1, f"error: {error}\n")
    if arguments.json:
        print(json.dumps({"files": sizes, "bytes": sum(sizes.values())}))
        return
    for name, size in sizes.items():
        print(f"{size:>9,}  {name}")
    print(f"{sum(sizes.values()):>9,}  in all")


if __name__ == "__main__":
    main()
