"""The files that operators write, and how to see cheaply that one has changed: one `stat` a file."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from tocsin_protocol.status import RuleProblem
from tocsin_server.errors import Misconfigured
from tocsin_server.yaml_nodes import MAX_BYTES, BadYaml

E = TypeVar("E")
T = TypeVar("T")

Signature = tuple[tuple[str, int, int, int, int], ...]


class FileErrors(Misconfigured, Generic[E]):
    """Files that were refused, with everything that is wrong in them; its words tell the first."""

    def __init__(self, errors: Sequence[E], *, remedy: str = "") -> None:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}", remedy=remedy)
        self.errors = errors


class Shelf(Generic[T]):
    """What the files of a folder say, which may be missing; read anew when one has changed, all or nothing."""

    def __init__(
        self,
        find: Callable[[], Path | None],
        load: Callable[[Path], T],
        nothing: T,
        *,
        files: Callable[[Path], Iterable[Path] | Path] = lambda folder: folder,
    ) -> None:
        """`files` are those whose change is noticed, where they are not the folder's YAML."""
        self._find = find
        self._load = load
        self._nothing = nothing
        self._files = files
        self._signature: tuple[Path | None, Signature] | None = None
        self.contents = nothing
        """As they were read last without a mistake."""
        self.folder: Path | None = None
        self.unread = ""
        """Why the folder cannot be looked at."""
        self.errors: Sequence[Any] = ()
        """What is wrong in the files as they are now."""

    def problems(self, told: Callable[[Any], RuleProblem]) -> list[RuleProblem]:
        """What is wrong now; `told` says so of one of `errors`."""
        unread = [RuleProblem(file=str(self.folder), reason=self.unread)] if self.unread else []
        return [*unread, *map(told, self.errors)]

    def look(self) -> bool:
        """Read the files where they have changed; whether `contents` is new."""
        folder = self._find()
        try:
            signature = (folder, () if folder is None else signature_of(self._files(folder)))
            if signature == self._signature:
                return False
            contents = self._nothing if folder is None else self._load(folder)
        except OSError as error:
            self._signature = None
            self.folder, self.unread, self.errors = folder, f"cannot be read ({error.strerror})", ()
            return False
        except FileErrors as refused:
            self._signature = signature
            self.folder, self.unread, self.errors = folder, "", refused.errors
            return False
        self._signature, self.contents = signature, contents
        self.folder, self.unread, self.errors = folder, "", ()
        return True


def yaml_files(paths: Iterable[Path] | Path) -> list[Path]:
    """The files that are meant: a folder stands for its `*.yml` and `*.yaml`, without those of its folders."""
    given = [paths] if isinstance(paths, Path) else list(paths)
    return [
        file
        for path in given
        for file in (sorted(p for p in path.iterdir() if _is_yaml(p)) if path.is_dir() else [path])
    ]


def read_text(path: Path) -> str:
    """The file's text; raises `BadYaml` where it cannot be had."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadYaml(1, f"larger than {MAX_BYTES >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadYaml(1, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadYaml(1, "not UTF-8") from error


def signature_of(files: Iterable[Path] | Path) -> Signature:
    """What changes when a file does; the inode's time tells of writes that restore the file's own."""
    stats = ((file.name, file.stat()) for file in yaml_files(files))
    return tuple((name, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for name, at in stats)


def digest_of(folder: Path) -> bytes:
    """What changes when the content of a file does."""
    digest = hashlib.sha256()
    for file in yaml_files(folder):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


def _is_yaml(path: Path) -> bool:
    return path.suffix in {".yml", ".yaml"} and path.is_file()
