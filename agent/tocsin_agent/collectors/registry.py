"""Which collectors a Linux host has, and what their metrics mean."""

from collections.abc import Mapping

from tocsin_agent.collectors import collection, load
from tocsin_agent.collectors.collection import Collector
from tocsin_agent.collectors.kernel import Roots

HELP: Mapping[str, str] = {
    **collection.HELP,
    **load.HELP,
}


def default_collectors(roots: Roots | None = None) -> list[Collector]:
    """All of them, what rules ask most often first."""
    roots = roots or Roots()
    return [load.LoadCollector(roots)]
