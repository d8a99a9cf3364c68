"""The pack: sixty alerting rules that people have published for fleets, as one group of a rule file.

They are taken from files beside the project, in their order: the first sixty that look back no further than
three hours. Where the files are not there, the project's own rules stand in, chosen the same way.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tocsin_server.promql import parse

COUNT = 60
LONGEST_MS = 3 * 3_600_000
CORPUS = Path(__file__).parents[2] / "shared/corpora/awesome-prometheus-alerts"
FILES = (
    "host-and-hardware--node-exporter.yml",
    "windows-server--windows-exporter.yml",
    "blackbox--blackbox-exporter.yml",
    "docker-containers--google-cadvisor.yml",
    "snmp--snmp-exporter.yml",
)
OWN = Path(__file__).parents[1] / "config/rules"


class Pack(NamedTuple):
    """A rule file and where its rules come from."""

    text: bytes
    names: list[str]
    origin: str


def pack(corpus: Path = CORPUS) -> Pack:
    """The corpus's rules, or our own where there is none."""
    if corpus.is_dir():
        return _packed([corpus / name for name in FILES], "the corpus awesome-prometheus-alerts")
    return _packed(sorted(OWN.glob("*.yml")), f"config/rules, for {corpus} is not there")


def _packed(paths: Sequence[Path], origin: str) -> Pack:
    rules = [rule for path in paths for rule in _rules(path) if _is_of_use(rule)][:COUNT]
    text = yaml.safe_dump({"groups": [{"name": "pack", "rules": rules}]}, sort_keys=False)
    return Pack(text.encode(), [rule["alert"] for rule in rules], origin)


def _rules(path: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(path.read_text())["groups"]:
        yield from group["rules"]


def _is_of_use(rule: dict[str, Any]) -> bool:
    return "alert" in rule and max(parse(rule["expr"]).windows().values()) <= LONGEST_MS
