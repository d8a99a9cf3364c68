"""What a program asks of the disk, recorded by strace and read into the events of `disk.py`.

Left out is SQLite's `-shm`, which it writes by mmap, out of strace's sight, and makes anew whenever nobody has
the database open; and the logs, which the test's own process has opened. After each program has ended the
record is compared with the folder, so nothing else can be missing from it. Only what was being written at the
moment of a kill may differ, and is then as the folder has it.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.disk import Cut, Disk, Event, Image, Link, Make, Names, Remove, Rename, Sync, Write

APT = "strace"
"""The package."""
_CALLS = (
    "open,?openat,?openat2,?creat,write,writev,pwrite64,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,"
    "?rename,renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?link,linkat,?symlink,symlinkat,"
    "fsync,fdatasync,sync_file_range,copy_file_range,sendfile"
)
_UNSEEN = re.compile(r"-shm$|(^|/)(server|agent)\.log$|\.sock$")
_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_HEX = r"((?:\\x[0-9a-f]{2})*)"
_FD = re.compile(rf"(\d+|AT_FDCWD)<{_HEX}>(\(deleted\))?")
_TEXT = re.compile(rf'"{_HEX}"')
_ENDED_S = 20.0


class Recorded(NamedTuple):
    """An event, and when the call began that was it, in seconds of this machine's clock."""

    at_s: float
    event: Event


class _Call(NamedTuple):
    at_s: float
    name: str
    said: str
    result: int | None
    opened: str
    """What the result is, where it is a descriptor."""
    covered: int
    """How many events had ended when it began."""


class Recorder:
    """All that programs, one after the other, do to one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder = folder.resolve()
        self.first = snapshot(folder)
        self.events: list[Recorded] = []
        self._disk = Disk(Names.JOURNALLED, self.first)
        self._logs = folder.with_name(f"{folder.name}-calls")
        self._logs.mkdir()
        self._number = 0

    def under(self, *injected: str) -> list[str]:
        """What to put before a command that is to be recorded; and what strace is to do to its calls."""
        self._number += 1
        # -D: the program is our own child, and gets our signals; strace follows it from beside.
        command = ["strace", "-D", "-f", "-y", "-ttt", "-xx", "-s", "10000000", "-q"]
        command += ["-o", str(self._log), "-e", f"trace={_CALLS}"]
        # Only the calls that are traced stop the program; but then strace injects nothing.
        command += [] if injected else ["--seccomp-bpf"]
        return command + [word for what in injected for word in ("-e", f"inject={what}")]

    def is_recording(self) -> bool:
        """Whether the program of the last `under` has begun; strace waits for one that is killed before."""
        return self._log.exists() and self._log.stat().st_size > 0

    def take(self) -> None:
        """The program of the last `under` has ended: read what it did."""
        reading = _Reading(self.folder, self._disk.live(), len(self.events))
        for line in _lines(self._log):
            for recorded in reading.read(line):
                self._add(recorded)
        for path in self._mended(reading.unfinished_paths()):
            self._add(path)
        self._log.unlink()

    @property
    def _log(self) -> Path:
        return self._logs / f"{self._number}.strace"

    def _add(self, recorded: Recorded) -> None:
        self._disk.apply(recorded.event)
        self.events.append(recorded)

    def _mended(self, under_way: set[str]) -> Iterator[Recorded]:
        """What a killed program had in part written, as the folder has it."""
        seen, told = snapshot(self.folder), self._disk.live()
        differing = {path for path in seen.keys() | told.keys() if seen.get(path) != told.get(path)}
        untold = {
            path: f"{len(seen.get(path) or b'')} bytes there, {len(told.get(path) or b'')} told"
            for path in sorted(differing - under_way)
        }
        assert not untold, f"the record does not tell of {untold}; at work were calls at {sorted(under_way)}"
        for path in sorted(differing):
            if path not in seen:
                yield Recorded(time.time(), Remove(path))
                continue
            content = seen[path]
            assert content is not None
            yield Recorded(time.time(), Write(path, 0, content))
            yield Recorded(time.time(), Cut(path, len(content)))


def snapshot(folder: Path) -> Image:
    """What is in a folder, less what is left out of a record."""
    found: Image = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if _UNSEEN.search(name) is None and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            found[name] = path.read_bytes() if stat.S_ISREG(mode) else None
    return found


def lay(image: Image, folder: Path) -> None:
    """Write an image into a folder that is made for it."""
    folder.mkdir(mode=0o700)
    for name, content in sorted(image.items()):
        if content is None:
            (folder / name).mkdir(mode=0o700)
        else:
            with open(folder / name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)


def _lines(log: Path) -> Iterator[str]:
    """The log, once it is whole: its last line tells how the program ended."""
    end = time.monotonic() + _ENDED_S
    while time.monotonic() < end:
        if log.exists() and _is_whole(log):
            return iter(log.read_text("ascii").splitlines())
        time.sleep(0.05)
    raise AssertionError(f"strace does not come to an end: {log}")


def _is_whole(log: Path) -> bool:
    with log.open("rb") as file:
        first = file.readline().split()
        file.seek(max(0, log.stat().st_size - 1000))
        last = file.read().splitlines()[-1:]
    return bool(last) and b"+++ " in last[0] and last[0].split()[:1] == first[:1]


class _Reading:
    """One program's log, line by line."""

    def __init__(self, folder: Path, live: Image, count: int) -> None:
        self._prefix = f"{folder}/"
        self._folder = str(folder)
        self._names = set(live)
        self._sizes = {name: len(content) for name, content in live.items() if content is not None}
        self._count = count
        self._begun: dict[str, tuple[float, str, int]] = {}
        self._places: dict[int, int | None] = {}
        """Where the next `write` to a descriptor goes; nothing for the end."""

    def read(self, line: str) -> Iterator[Recorded]:
        """The events that a line tells of."""
        call = self._call(line)
        if call is None or call.result is None or call.result < 0:
            return
        for event in self._events(call):
            self._remember(event)
            self._count += 1
            yield Recorded(call.at_s, event)

    def unfinished_paths(self) -> set[str]:
        """The files at which a call was at work when the program was killed."""
        texts = [said for _, said, _ in self._begun.values()]
        written = {path for said in texts for _, path, _ in self._descriptors(said)}
        removed = {path for said in texts if said.startswith("unlink") for path in self._paths(said)}
        return {path for path in written | removed if path is not None}

    def _call(self, line: str) -> _Call | None:
        matched = _LINE.fullmatch(line)
        if matched is None:
            return None
        thread, at_s, said = matched[1], float(matched[2]), matched[3]
        if said.endswith(_UNFINISHED):
            self._begun[thread] = at_s, said.removesuffix(_UNFINISHED), self._count
            return None
        covered = self._count
        if resumed := _RESUMED.fullmatch(said):
            at_s, begun, covered = self._begun.pop(thread)
            said = begun + resumed[1]
        matched = _CALL.fullmatch(said)
        if matched is None:
            return None
        if matched[3] == "?":
            # Killed on the way: how far it came only the folder can tell.
            self._begun[f"{thread} killed"] = at_s, said, covered
            return None
        return _Call(at_s, matched[1], matched[2], int(matched[3]), matched[4], covered)

    def _events(self, call: _Call) -> Sequence[Event]:
        if call.name in ("open", "openat", "creat"):
            return self._opened(call)
        if call.name == "lseek":
            for number, path, _ in self._descriptors(call.said):
                if path is not None and self._places.get(number, 0) is not None:
                    self._places[number] = call.result
            return []
        if call.name in ("fsync", "fdatasync", "ftruncate") or "write" in call.name:
            return self._to_descriptor(call)
        return self._to_names(call)

    def _opened(self, call: _Call) -> Sequence[Event]:
        assert call.result is not None
        path = self._inside(_text(_FD.search(f"0{call.opened}")))
        if path is None:
            return []
        self._places[call.result] = None if "O_APPEND" in call.said else 0
        if path not in self._names and "O_CREAT" in call.said:
            return [Make(path)]
        return [Cut(path, 0)] if "O_TRUNC" in call.said else []

    def _to_descriptor(self, call: _Call) -> Sequence[Event]:
        (number, path, is_deleted), *_ = [*self._descriptors(call.said), (0, None, False)]
        if path is None or is_deleted:
            return []
        if "sync" in call.name:
            return [Sync(path, call.covered)]
        if call.name == "ftruncate":
            return [Cut(path, int(call.said.rpartition(",")[2]))]
        assert call.result is not None
        content = b"".join(_bytes(text) for text in _TEXT.findall(call.said))[: call.result]
        if call.name.startswith("pwrite"):
            return [
                Write(path, int(re.split(r"[\s,]+", call.said)[-1 if call.name != "pwritev2" else -2]), content)
            ]
        place = self._places.get(number, 0)
        if place is not None:
            self._places[number] = place + len(content)
        return [Write(path, self._sizes.get(path, 0) if place is None else place, content)]

    def _to_names(self, call: _Call) -> Sequence[Event]:
        paths = [path for path in self._paths(call.said) if path is not None]
        if not paths:
            return []
        first, last = paths[0], paths[-1]
        if call.name.startswith("rename"):
            return [Rename(first, last)]
        if call.name.startswith("link"):
            return [Link(first, last)]
        if call.name.startswith("mkdir"):
            return [Make(first, is_folder=True)]
        if call.name.startswith(("unlink", "rmdir")):
            return [Remove(first)]
        if call.name == "truncate":
            return [Cut(first, int(call.said.rpartition(",")[2]))]
        raise AssertionError(f"{call.name} is not understood: {call.said[:200]}")

    def _remember(self, event: Event) -> None:
        """What names and sizes there are, for the calls that follow."""
        match event:
            case Make(path):
                self._names.add(path)
                self._sizes[path] = 0
            case Link(path, to) | Rename(path, to):
                self._names.add(to)
                self._sizes[to] = self._sizes.get(path, 0)
                if isinstance(event, Rename):
                    self._names.discard(path)
            case Remove(path):
                self._names.discard(path)
            case Write(path, offset, content):
                self._sizes[path] = max(self._sizes.get(path, 0), offset + len(content))
            case Cut(path, size):
                self._sizes[path] = size
            case Sync():
                pass

    def _descriptors(self, said: str) -> Iterator[tuple[int, str | None, bool]]:
        for matched in _FD.finditer(said):
            if matched[1] != "AT_FDCWD":
                yield int(matched[1]), self._inside(_bytes(matched[2]).decode()), bool(matched[3])

    def _paths(self, said: str) -> Iterator[str | None]:
        """The paths that a call names, each as it is below the folder, if it is."""
        bases = [_bytes(text).decode() for _, text, _ in _FD.findall(said)]
        for place, text in enumerate(_TEXT.findall(said)):
            base = Path(bases[min(place, len(bases) - 1)] if bases else "/")
            yield self._inside(os.path.normpath(base / _bytes(text).decode()))

    def _inside(self, path: str) -> str | None:
        if path == self._folder:
            return ""
        name = path.removeprefix(self._prefix)
        return None if name == path or _UNSEEN.search(name) else name


def _text(matched: "re.Match[str] | None") -> str:
    return _bytes(matched[2]).decode(errors="replace") if matched else ""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
