"""`.venv/bin/python -m cli` in the repository's folder; `.venv/bin/dicomweb` is the same anywhere."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "layers" / "dicomweb"))

from cli.app import main  # noqa: E402

if __name__ == "__main__":
    main()
