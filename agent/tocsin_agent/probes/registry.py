"""Which methods of probing there are. Each is loaded when the first device that asks for it is declared.

A method is one class in the module of its kind; it is made of its options and of what opens sealed secrets.
What keeps one from working, a missing package or a secret of another agent, becomes its failure at every
round, so that it is seen as a series and not only in a log.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.readings import Sample

CLASSES: Mapping[str, str] = {"snmp": "Snmp", "icmp": "Icmp", "http": "Http", "tls": "Tls", "ssh": "Ssh"}
"""By kind, which is also the module's name."""

OpenSecret = Callable[[str], bytes]


class Method(Protocol):
    """One way to look at one thing."""

    def probe(self, deadline_s: float) -> list[Sample]:
        """What is read within `deadline_s` seconds, which the method honours itself; raises `Failed`."""


class Unusable:
    """In place of a method that cannot work: it fails in the same words at every round."""

    def __init__(self, reason: str, words: str) -> None:
        self._reason = reason
        self._words = words

    def probe(self, deadline_s: float) -> list[Sample]:  # noqa: ARG002 - a method as the others
        """Fails at once."""
        raise Failed(self._reason, self._words)


def method(kind: str, options: Mapping[str, object], open_secret: OpenSecret) -> Method:
    """The method of this kind with these options; raises `Misdeclared` for what is wrong with them."""
    if kind not in CLASSES:
        known = ", ".join(sorted(CLASSES))
        raise Misdeclared(f"there is no probe {kind[:40]!r} (there are: {known}): update this agent")
    try:
        made: Method = getattr(import_module(f"tocsin_agent.probes.{kind}"), CLASSES[kind])(
            options, open_secret
        )
    except ImportError as error:
        missing = error.name or error
        return Unusable(
            "not_installed", f"{missing} is missing: pip install 'tocsin[probes]' beside this agent"
        )
    except Failed as failure:
        return Unusable(failure.reason, failure.words)
    return made
