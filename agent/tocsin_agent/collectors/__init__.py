"""What this host says of itself: one collector per subject, run together within a deadline.

`default_collectors()` lists them, `Collection(...).collect(now_ms)` reads them all, `HELP` says what each
metric means. Names, types and labels are node_exporter's.
"""

from tocsin_agent.collectors.collection import Collection, Collector
from tocsin_agent.collectors.registry import HELP, default_collectors

__all__ = ["HELP", "Collection", "Collector", "default_collectors"]
