"""What was found: inputs with what came of them, each kind of trouble once."""

import hashlib
import traceback
from pathlib import Path


class Finds:
    """A folder: of each find the input, and beside it what happened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, target: str, kind: str, given: bytes, told: str) -> None:
        """Keep it, unless there is one of its kind; of two the shorter stays."""
        path = self._folder / f"{target}-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
        if path.exists() and path.stat().st_size <= len(given):
            return
        path.write_bytes(given)
        path.with_suffix(".txt").write_text(f"{target}: {kind}\n{told}\n", encoding="utf-8", errors="replace")

    def all(self) -> list[tuple[str, bytes]]:
        """What happened and the input, of each."""
        return [
            (path.read_text(encoding="utf-8"), path.with_suffix("").read_bytes())
            for path in sorted(self._folder.glob("*.txt"))
        ]


def kind_of(error: BaseException) -> str:
    """What makes two errors the same: the type, and where it was raised."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
