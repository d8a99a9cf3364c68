"""The shipped suppressions withhold what they say, of alerts that the packs really make, and no more."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest

from tocsin_server.alerts.inhibition import inhibited
from tocsin_server.alerts.suppressionfile import Suppressions, read_suppressions
from tocsin_server.alerts.testfile import read_unit_tests
from tocsin_server.quietbook import load_suppressions

CONFIG = Path(__file__).parents[3] / "config"
FOLDER = CONFIG / "suppressions"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", (FOLDER / "README.md").read_text(), re.MULTILINE | re.DOTALL)

SECTIONS = {"time_intervals", "maintenance_windows", "inhibit_rules", "host_parents"}
TOLD = re.findall(
    rf"^    (?:{'|'.join(SECTIONS)}):\n(?:    .*\n|\n(?=    ))*",
    (CONFIG.parent / "docs" / "silences.md").read_text(),
    re.MULTILINE,
)
"""What the document shows of files."""

Labels = Mapping[str, str]


@cache
def shipped() -> Suppressions:
    return load_suppressions(FOLDER)


@cache
def made() -> tuple[Labels, ...]:
    """The labels of every alert that a test of the packs expects."""
    files = (read_unit_tests(path) for path in sorted((CONFIG / "rules" / "tests").glob("*.yml")))
    questions = (question for tests in files for case in tests.cases for question in case.alerts)
    found = [
        {**expected.labels, "alertname": question.alertname}
        for question in questions
        for expected in question.expected
    ]
    return tuple({tuple(sorted(labels.items())): labels for labels in found}.values())


def withheld(*alerts: Labels, clients: Iterable[int] = ()) -> list[int]:
    """The places of the alerts that are withheld while all of them fire; of one client, if nothing is said."""
    whose = [*clients] or [1] * len(alerts)
    keys = [(client, f"{place:016x}") for place, client in enumerate(whose)]
    found = inhibited(shipped().rules, dict(zip(keys, alerts, strict=True)))
    return [place for place, key in enumerate(keys) if key in found]


def alert(name: str, severity: str, **labels: str) -> Labels:
    """One of atlas's in Berlin."""
    there = {"instance": "atlas", "job": "node", "site": "berlin"}
    return {"alertname": name, "severity": severity, **there, **labels}


SILENT = alert("HostSilent", "critical")
ROOT = {"device": "/dev/vda1", "fstype": "ext4", "mountpoint": "/"}
FULL = alert("FilesystemFull", "critical", **ROOT)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_read(text: str) -> None:
    said = read_suppressions({"example.yml": text})

    assert said != Suppressions()


def test_there_is_an_example_of_everything() -> None:
    sections = {section for text in EXAMPLES for section in re.findall(r"^(\w+):$", text, re.MULTILINE)}

    assert sections == SECTIONS


def test_what_the_document_shows_is_read_together() -> None:
    said = read_suppressions({f"{number}.yml": dedent(text) for number, text in enumerate(TOLD)})

    assert said.intervals
    assert said.windows
    assert said.rules
    assert said.parents


def test_the_document_shows_a_rule_as_it_is_shipped() -> None:
    said = read_suppressions({f"{number}.yml": dedent(text) for number, text in enumerate(TOLD)})

    assert set(said.rules) <= set(shipped().rules)


def test_only_inhibition_is_shipped() -> None:
    said = shipped()

    assert said.rules
    assert said == Suppressions(rules=said.rules)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (SILENT, alert("CpuSaturated", "warning")),
        (SILENT, alert("HostRebooted", "info")),
        (SILENT, alert("DiskSaturated", "warning", device="vda")),
        (FULL, alert("FilesystemFilling", "warning", **ROOT)),
        (
            alert("DeviceSilent", "critical", probe="snmp"),
            alert("InterfaceDown", "warning", ifName="Gi0/3", ifDescr="GigabitEthernet0/3", ifAlias="uplink"),
        ),
        (
            alert("CertificateExpiresSoon", "critical", probe="tls"),
            alert("CertificateExpiresSoon", "warning", probe="tls"),
        ),
    ],
)
def test_what_is_the_same_trouble_is_withheld_and_of_one_client_only(source: Labels, target: Labels) -> None:
    assert withheld(source, target) == [1]
    assert withheld(source, target, clients=(1, 2)) == []
    assert withheld(source, {**target, "instance": "borea"}) == []
    assert withheld(source, {**target, "severity": "critical"}) == []
    assert withheld(target) == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (SILENT, alert("MemoryPressure", "critical")),
        (alert("HostSilent", "info", job="desktop"), alert("ClockSkew", "warning", job="desktop")),
        (FULL, alert("FilesystemFilling", "warning", **ROOT | {"mountpoint": "/home"})),
        (FULL, alert("FilesystemInodesLow", "critical", **ROOT)),
        (
            alert("DeviceSilent", "critical", probe="snmp"),
            alert("CertificateExpiresSoon", "warning", probe="tls"),
        ),
        (
            alert("DeviceSilent", "critical", probe="snmp"),
            alert("ProbeCredentialRefused", "warning", probe="ssh"),
        ),
        (
            alert("CertificateExpiresSoon", "critical", probe="tls"),
            alert("CertificateExpiresSoon", "warning", probe="imap"),
        ),
    ],
)
def test_what_is_true_by_itself_rings(source: Labels, target: Labels) -> None:
    assert withheld(source, target) == []


def test_nothing_critical_of_the_packs_is_ever_withheld_and_nothing_of_another_host() -> None:
    for one, other in product(made(), repeat=2):
        if withheld(one, other) == [1]:
            assert other["severity"] in {"warning", "info"}
            assert one["severity"] == "critical"
            assert one["instance"] == other["instance"]


def test_each_rule_finds_alerts_of_the_packs_on_both_sides_with_the_labels_that_are_to_be_equal() -> None:
    for rule in shipped().rules:
        sources, targets = (
            [labels for labels in made() if all(each.matches(labels.get(each.name, "")) for each in side)]
            for side in (rule.source, rule.target)
        )

        assert sources, rule.name
        assert targets, rule.name
        assert all(set(rule.equal) <= labels.keys() for labels in sources), rule.name
