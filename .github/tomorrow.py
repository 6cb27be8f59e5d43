"""Let spacy-transformers 1.4 be imported beside transformers 5, which has moved two names."""

from importlib.util import find_spec
from pathlib import Path

MOVED = {
    "transformers.tokenization_utils import BatchEncoding": "transformers import BatchEncoding",
    "transformers.file_utils import ModelOutput": "transformers.utils import ModelOutput",
}
found = find_spec("spacy_transformers")
assert found is not None
assert found.origin is not None
for path in Path(found.origin).parent.rglob("*.py"):
    text = path.read_text(encoding="utf-8")
    for old, new in MOVED.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
