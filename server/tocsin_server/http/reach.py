"""How far back an expression looks, and which hosts it can be about.

The head holds of each metric what rules ask for, of most the newest samples only. A rate over more than that
would be wrong and look right, so a question that reaches further is answered from the journal.
"""

from collections.abc import Iterator, Mapping

from tocsin_server.estate.estate import HostFacts
from tocsin_server.promql import Expression
from tocsin_server.promql.syntax import Node, Selector, walk


def looks_back(expression: Expression, at_ms: int, now_ms: int) -> dict[str, int]:
    """How far before now it looks, in milliseconds, by metric name; "" stands for selectors of any name."""
    pinned = {name: max(0, now_ms - moment_ms) for name, moment_ms in _pinned(expression).items()}
    return {
        name: window_ms + max(0, now_ms - at_ms, pinned.get(name, 0))
        for name, window_ms in expression.windows().items()
    }


def within(asked: Mapping[str, int], kept: Mapping[str, int]) -> bool:
    """Whether what is kept by metric name, "" for all of them, reaches as far back as is asked."""
    everywhere = kept.get("", 0)
    return all(
        back_ms <= (max(kept.get(name, 0), everywhere) if name else everywhere)
        for name, back_ms in asked.items()
    )


def may_concern(expression: Expression, host: HostFacts) -> bool:
    """Whether a selector can find a series of this host, by the labels that the server sets."""
    target = {"instance": host.name, "job": host.job, "site": host.site}
    return any(
        all(matcher.matches(target[matcher.name]) for matcher in node.matchers if matcher.name in target)
        for node in walk(expression.root)
        if isinstance(node, Selector)
    )


def _pinned(expression: Expression) -> dict[str, int]:
    """The earliest moment that an `@` names, by metric: its own, or that of something around it."""
    moments: dict[str, int] = {}
    for node in walk(expression.root):
        at_ms = getattr(node, "at", None)
        if isinstance(at_ms, int):
            moments |= {name: min(moments.get(name, at_ms), at_ms) for name in _named_in(node)}
    return moments


def _named_in(node: Node) -> Iterator[str]:
    return (each.name or "" for each in walk(node) if isinstance(each, Selector))
