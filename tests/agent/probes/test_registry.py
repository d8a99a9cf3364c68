"""Methods by kind: known ones are made, and what keeps one from working is its failure at every round."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_agent.probes import registry
from tocsin_agent.probes.failure import MOST_WORDS, REASONS, Failed, Misdeclared, safe_line
from tocsin_agent.probes.registry import CLASSES, method


def open_nothing(sealed: str) -> bytes:
    raise Failed("credential", "it cannot be opened")


def test_a_known_kind_is_loaded_when_it_is_asked_for():
    made = method("tls", {"address": "192.0.2.10"}, open_nothing)

    assert type(made).__module__ == "tocsin_agent.probes.tls"


@pytest.mark.parametrize("kind", ["gopher", "", "registry", "../http", "x" * 10_000])
def test_a_kind_that_this_agent_does_not_know_is_misdeclared(kind):
    with pytest.raises(Misdeclared, match="update this agent"):
        method(kind, {}, open_nothing)


def test_options_that_are_wrong_are_misdeclared():
    with pytest.raises(Misdeclared, match="address"):
        method("tls", {}, open_nothing)


@pytest.mark.parametrize(("kind", "package"), [("snmp", "gufo.snmp"), ("ssh", "paramiko"), ("icmp", "icmplib")])
def test_a_package_that_is_missing_is_a_failure_of_each_probe_with_its_remedy(monkeypatch, kind, package):
    def no_package(name: str):
        assert name == f"tocsin_agent.probes.{kind}"
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(registry, "import_module", no_package)
    made = method(kind, {}, open_nothing)

    with pytest.raises(Failed) as failed:
        made.probe(1.0)
    assert failed.value.reason == "not_installed"
    assert package in failed.value.words
    assert "pip install 'tocsin[probes]'" in failed.value.words


def test_a_secret_that_cannot_be_opened_is_a_failure_of_each_probe(monkeypatch):
    class Needy:
        def __init__(self, options, open_secret):
            open_secret(options["community"])

    module = type(sys)("needy")
    module.Snmp = Needy
    monkeypatch.setattr(registry, "import_module", lambda name: module)
    made = method("snmp", {"community": "sealed:x"}, open_nothing)

    for _ in range(2):
        with pytest.raises(Failed, match="it cannot be opened") as failed:
            made.probe(1.0)
        assert failed.value.reason == "credential"


def test_every_kind_has_a_module_of_its_name_and_every_reason_is_one_word():
    assert all(kind.isidentifier() and kind.capitalize() == name for kind, name in CLASSES.items())
    assert all(reason.isidentifier() for reason in REASONS)


def test_a_reason_that_nobody_knows_is_a_fault_of_ours():
    assert Failed("gremlins", "they are in the machine").reason == "internal"


@given(st.text(max_size=2000))
def test_what_a_device_says_is_one_printable_line_of_bounded_length(words):
    line = safe_line(words)

    assert len(line) <= MOST_WORDS
    assert line.isprintable()
