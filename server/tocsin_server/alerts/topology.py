"""What cannot be reached because of what is dead before it: hosts name the parents they are reached through.

    core ──▶ switch-a ──▶ atlas      a host is cut off when every way to it leads through a host that is down;
      └────▶ switch-b ────┘          the dead host that is itself still reached, the top-most, is why

A host without parents is reached by itself. So is one of a ring that no such host leads to, and one between two
such rings: a ring of names is a slip of the pen, and must not silence whoever made it.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

MOST_CAUSES = 16
"""Top-most dead parents that are told of one host; a host has so many parents at most."""

Parents = Mapping[int, Collection[int]]
"""Host → the hosts that it is reached through, any of which is enough."""
_Children = dict[int, list[int]]


def unreachable(
    parents: Parents, down: AbstractSet[int], *, heard: AbstractSet[int] = frozenset()
) -> dict[int, tuple[int, ...]]:
    """The hosts that are cut off, each with the top-most dead hosts that cut it off, nearest first.

    Who is `heard` is reached, whatever the map says. Linear in hosts and parents.
    """
    children = _children(parents)
    if not any(host in children for host in down):
        return {}
    hosts = _hosts(parents)
    reached = _reached(children, [*_tops(parents, children, hosts), *heard], down)
    return _causes(children, [host for host in sorted(down) if host in reached], reached)


def _hosts(parents: Parents) -> dict[int, None]:
    """Every host that is named, in order."""
    hosts = dict.fromkeys(parents)
    for each in parents.values():
        hosts.update(dict.fromkeys(each))
    return hosts


def _children(parents: Parents) -> _Children:
    children: _Children = {}
    for host, its_parents in parents.items():
        for parent in its_parents:
            children.setdefault(parent, []).append(host)
    return children


def _tops(parents: Parents, children: _Children, hosts: Collection[int]) -> list[int]:
    """The hosts that are reached by themselves: without parents, or in a ring that nothing leads to."""
    tops = [host for host in hosts if not parents.get(host)]
    led_to = _reached(children, tops, frozenset())
    rest = {host for host in hosts if host not in led_to}
    return [*tops, *_rings(parents, children, rest)] if rest else tops


def _reached(children: _Children, starts: Iterable[int], down: AbstractSet[int]) -> set[int]:
    """The hosts at which a way arrives; it ends at a host that is down."""
    reached = set(starts)
    waiting = list(reached)
    while waiting:
        host = waiting.pop()
        if host in down:
            continue
        new = [child for child in children.get(host, ()) if child not in reached]
        reached.update(new)
        waiting += new
    return reached


def _rings(parents: Parents, children: _Children, rest: AbstractSet[int]) -> set[int]:
    """What stays when whoever has no child left is taken away, again and again."""
    left = {host: sum(child in rest for child in children.get(host, ())) for host in rest}
    leaves = [host for host, count in left.items() if not count]
    rings = set(rest)
    while leaves:
        host = leaves.pop()
        rings.discard(host)
        for parent in parents.get(host, ()):
            left[parent] -= 1
            if not left[parent]:
                leaves.append(parent)
    return rings


def _causes(children: _Children, dead: Iterable[int], reached: set[int]) -> dict[int, tuple[int, ...]]:
    """From each top-most dead host down to all that it cuts off; breadth first, so the nearest come first."""
    causes: dict[int, list[int]] = {}
    waiting = deque((host, host) for host in dead)
    while waiting:
        host, cause = waiting.popleft()
        for child in children.get(host, ()):
            told = causes.setdefault(child, []) if child not in reached else None
            if told is not None and cause not in told and len(told) < MOST_CAUSES:
                told.append(cause)
                waiting.append((child, cause))
    return {host: tuple(told) for host, told in causes.items()}
