"""What a disk may hold after a power cut, worked out from what programs have asked of it. No file is touched.

What was synced is there. Of all else anything may be: each write since the last sync of its file is kept, lost
or torn at a sector, and names that were made, changed or removed are as they were or as they are. Two kinds of
file system differ in what a sync says of names:

    JOURNALLED  names change in the order in which they were changed, and a file's own sync keeps the names that
                it has, with all that was changed before: ext4, xfs, btrfs
    LETTER      the letter of POSIX: a sync of a file says nothing of names, each folder is synced for its own
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Make:
    """A new, empty file, or a folder."""

    path: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A second name for a file."""

    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Another name in the same folder, in place of what had it."""

    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Remove:
    path: str


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file's new size; where it grows, by zeros."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync that has ended; it covers the first `covered` events, which had ended when it began."""

    path: str
    covered: int


Event = Make | Link | Rename | Remove | Write | Cut | Sync


class Names(enum.Enum):
    """What a sync says of names."""

    JOURNALLED = enum.auto()
    LETTER = enum.auto()


class Fate(enum.Enum):
    """What becomes of all that was not synced."""

    LOST = enum.auto()
    KEPT = enum.auto()
    TORN = enum.auto()
    """Of each file and each folder the first changes are kept, then one is torn, and the rest is lost."""
    MIXED = enum.auto()
    """Each write is kept, lost or torn by itself: a disk writes in an order of its own."""


Image = dict[str, bytes | None]
"""Content by path; nothing for a folder."""


@dataclass(eq=False, slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    live: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Write | Cut]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Folder:
    durable: dict[str, "_Node"] = field(default_factory=dict)
    live: dict[str, "_Node"] = field(default_factory=dict)


_Node = _File | _Folder
_Entries = dict[_Folder, dict[str, _Node]]


@dataclass(frozen=True, slots=True)
class _Change:
    """Names of one folder that change at once; nothing for a name that goes."""

    number: int
    folder: _Folder
    names: Mapping[str, _Node | None]


class Disk:
    """One folder and all below it; paths are relative to it."""

    def __init__(self, names: Names, image: Mapping[str, bytes | None] | None = None) -> None:
        self._names = names
        self._root = _Folder()
        self._changes: list[_Change] = []
        self._count = 0
        for path, content in sorted((image or {}).items()):
            self._put(path, content)

    def apply(self, event: Event) -> None:
        """What a program has done."""
        match event:
            case Make(path, is_folder):
                self._name({path: _Folder() if is_folder else _File()})
            case Link(path, to):
                self._name({to: self._node(path)})
            case Rename(path, to):
                self._name({to: self._node(path), path: None})
            case Remove(path):
                self._name({path: None})
            case Write(path) | Cut(path):
                file = self._file(path)
                file.pending.append((self._count, event))
                _apply(file.live, event)
            case Sync(path, covered):
                self._sync(self._node(path), covered)
        self._count += 1

    def live(self) -> Image:
        """What programs see while there is power."""
        return dict(self._walk({}, lambda file: bytes(file.live)))

    def image(self, chance: Random, fate: Fate | None = None) -> Image:
        """What may be there when the power goes now."""
        drawn = fate or chance.choice(list(Fate))
        kept = self._kept_changes(drawn, chance)
        entries: _Entries = {}
        for change in kept:
            _enter(entries.setdefault(change.folder, dict(change.folder.durable)), change)
        entries.setdefault(self._root, self._root.durable)
        return dict(self._walk(entries, lambda file: _content(file, drawn, chance)))

    def _put(self, path: str, content: bytes | None) -> None:
        """What was there, durable, before anything was done."""
        folder, name = self._place(path)
        node = _Folder() if content is None else _File(bytearray(content), bytearray(content))
        folder.live[name] = folder.durable[name] = node

    def _name(self, names: Mapping[str, _Node | None]) -> None:
        places = {self._place(path): node for path, node in names.items()}
        folders = {folder for folder, _ in places}
        if len(folders) > 1:
            raise ValueError(f"{sorted(names)} are not in one folder")
        change = _Change(self._count, folders.pop(), {name: node for (_, name), node in places.items()})
        _enter(change.folder.live, change)
        self._changes.append(change)

    def _sync(self, node: _Node, covered: int) -> None:
        if isinstance(node, _File):
            for number, event in node.pending:
                if number < covered:
                    _apply(node.durable, event)
            node.pending = [(number, event) for number, event in node.pending if number >= covered]
        past = [change for change in self._changes if change.number < covered]
        for change in self._synced(node, past):
            _enter(change.folder.durable, change)
            self._changes.remove(change)

    def _synced(self, node: _Node, past: list[_Change]) -> list[_Change]:
        """The changes of names that a sync of this makes durable."""
        if self._names is Names.LETTER:
            return [change for change in past if change.folder is node]
        own = [place for place, change in enumerate(past) if _concerns(change, node)]
        return past[: own[-1] + 1] if own else []

    def _kept_changes(self, fate: Fate, chance: Random) -> list[_Change]:
        if fate in (Fate.LOST, Fate.KEPT):
            return self._changes if fate is Fate.KEPT else []
        if self._names is Names.JOURNALLED:
            return self._changes[: chance.randint(0, len(self._changes))]
        by_folder: dict[_Folder, list[_Change]] = {}
        for change in self._changes:
            by_folder.setdefault(change.folder, []).append(change)
        return [
            change for changes in by_folder.values() for change in changes[: chance.randint(0, len(changes))]
        ]

    def _walk(self, entries: _Entries, content: Callable[[_File], bytes]) -> Iterator[tuple[str, bytes | None]]:
        """All that can be reached; by the live names where no others are given."""

        def below(folder: _Folder, prefix: str) -> Iterator[tuple[str, bytes | None]]:
            names = entries.get(folder, folder.durable) if entries else folder.live
            for name, node in sorted(names.items()):
                if isinstance(node, _Folder):
                    yield prefix + name, None
                    yield from below(node, f"{prefix}{name}/")
                else:
                    yield prefix + name, content(node)

        return below(self._root, "")

    def _place(self, path: str) -> tuple[_Folder, str]:
        above, _, name = path.rpartition("/")
        folder = self._node(above)
        if not isinstance(folder, _Folder):
            raise NotADirectoryError(above)
        return folder, name

    def _node(self, path: str) -> _Node:
        node: _Node = self._root
        for name in filter(None, path.split("/")):
            if not isinstance(node, _Folder) or name not in node.live:
                raise FileNotFoundError(path)
            node = node.live[name]
        return node

    def _file(self, path: str) -> _File:
        node = self._node(path)
        if not isinstance(node, _File):
            raise IsADirectoryError(path)
        return node


def _concerns(change: _Change, node: _Node) -> bool:
    return change.folder is node or any(named is node for named in change.names.values())


def _enter(entries: dict[str, _Node], change: _Change) -> None:
    for name, node in change.names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def _apply(content: bytearray, event: Write | Cut) -> None:
    size, end = len(content), event.size if isinstance(event, Cut) else event.offset + len(event.content)
    if end > size:
        content.extend(bytes(end - size))
    if isinstance(event, Write):
        content[event.offset : end] = event.content
    else:
        del content[end:]


def _content(file: _File, fate: Fate, chance: Random) -> bytes:
    content = bytearray(file.durable)
    for event in _survivors([event for _, event in file.pending], fate, chance):
        _apply(content, event)
    return bytes(content)


def _survivors(pending: list[Write | Cut], fate: Fate, chance: Random) -> Iterable[Write | Cut]:
    if fate is Fate.LOST or not pending:
        return []
    if fate is Fate.KEPT:
        return pending
    if fate is Fate.TORN:
        place = chance.randint(0, len(pending) - 1)
        return [*pending[:place], *_torn_end(pending[place], chance)]
    return [piece for event in pending for piece in _mixed(event, chance)]


def _torn_end(event: Write | Cut, chance: Random) -> list[Write | Cut]:
    """The beginning of a write, up to any byte."""
    if isinstance(event, Cut):
        return [event] * chance.randint(0, 1)
    return [Write(event.path, event.offset, event.content[: chance.randint(0, len(event.content))])]


def _mixed(event: Write | Cut, chance: Random) -> list[Write | Cut]:
    """All of it, nothing of it, or some of its sectors."""
    lot = chance.randrange(3)
    if lot < 2 or isinstance(event, Cut):
        return [event] * (lot % 2)
    return [piece for piece in _sectors(event) if chance.random() < 0.5]


def _sectors(write: Write) -> Iterator[Write]:
    begin, end = write.offset, write.offset + len(write.content)
    while begin < end:
        border = min(end, begin - begin % SECTOR + SECTOR)
        yield Write(write.path, begin, write.content[begin - write.offset : border - write.offset])
        begin = border
