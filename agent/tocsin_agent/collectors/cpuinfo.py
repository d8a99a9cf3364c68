"""What the processors are: read once, for they do not change while the kernel runs."""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import Roots, read_once, readable
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Sample, gauge, labelled

HELP = {"node_cpu_info": "What each processor is; always 1."}
_LABELS_BY_KEY = {
    "processor": "cpu",
    "vendor_id": "vendor",
    "cpu family": "family",
    "model": "model",
    "model name": "model_name",
    "stepping": "stepping",
    "microcode": "microcode",
    "cache size": "cachesize",
    "physical id": "package",
    "core id": "core",
}
_AN_HOUR_S = 3600.0


class CpuInfoCollector:
    """Reads /proc/cpuinfo once an hour: a plugged-in processor or new microcode is noticed then.

    The kernel takes long over this file on hosts with many processors.
    """

    name = "cpuinfo"

    def __init__(self, roots: Roots) -> None:
        self._path = f"{roots.proc}/cpuinfo"
        self._infos = Seldom(self._read, every_s=_AN_HOUR_S)

    def collect(self) -> list[Sample]:
        """One info metric a processor."""
        return self._infos.value()

    def _read(self) -> list[Sample]:
        return list(parse_cpuinfo(readable(read_once(self._path))))


def parse_cpuinfo(text: str) -> Iterator[Sample]:
    """One sample for each block that names a processor; keys that an architecture lacks are absent labels."""
    for block in text.split("\n\n"):
        pairs = (line.partition(":") for line in block.splitlines())
        labels = {
            _LABELS_BY_KEY[key.strip()]: value.strip()
            for key, _, value in pairs
            if key.strip() in _LABELS_BY_KEY
        }
        if "cpu" in labels:
            yield gauge("node_cpu_info", 1, labelled(**labels))
