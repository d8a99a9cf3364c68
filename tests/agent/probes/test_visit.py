"""One visit: probes one after the other within the device's deadline, and each failure is its own."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.frames import Framer
from tocsin_agent.probes.book import Device, Probe
from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.visit import MOST_SCHEMA_BYTES, Outcome, Visitor
from tocsin_agent.readings import Sample, counter, gauge, labelled
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.ingest.decode import decode_schema

SKIPPED = ("tocsin_probe_skipped_rounds_total", ())


class Ward:
    """A visitor of one device whose methods do what the test says, on a clock that they move."""

    def __init__(
        self, *probes: tuple[str, object], every_s: float = 30, most_series: int = 5000, **options
    ) -> None:
        self.now_s = 1000.0
        self.deadlines: dict[str, float] = {}
        self.made: list[str] = []
        self.acts = dict(probes)
        device = Device("switch-1", every_s, tuple(Probe(name, name, options) for name, _ in probes))
        self.visitor = Visitor(
            device, lambda _: b"", make=self.make, monotonic=lambda: self.now_s, most_series=most_series
        )

    def make(self, kind, options, open_secret):
        self.made.append(kind)
        return Act(self, kind)

    def visit(self) -> tuple[dict[tuple[str, tuple], float], Outcome]:
        outcome = self.visitor.visit(time_ms=0, skipped=3)
        return {(sample.name, sample.labels): sample.value for sample in outcome.samples}, outcome


class Act:
    def __init__(self, ward: Ward, kind: str) -> None:
        self.ward, self.kind = ward, kind

    def probe(self, deadline_s: float):
        self.ward.deadlines[self.kind] = deadline_s
        act = self.ward.acts[self.kind]
        result = act(self.ward, deadline_s) if callable(act) else act
        if isinstance(result, Exception):
            raise result
        return result


def takes(seconds: float, result: object = ()):
    def act(ward: Ward, deadline_s: float):
        ward.now_s += seconds
        return result

    return act


def of(probe: str, **labels: str):
    return labelled(probe=probe, **labels)


def test_a_probe_that_succeeds_gives_its_samples_and_how_it_fared():
    ward = Ward(("icmp", takes(0.25, [gauge("probe_icmp_duration_seconds", 0.2, labelled(phase="rtt"))])))

    values, outcome = ward.visit()

    assert values == {
        ("probe_icmp_duration_seconds", of("icmp", phase="rtt")): 0.2,
        ("probe_success", of("icmp")): 1,
        ("probe_duration_seconds", of("icmp")): 0.25,
        SKIPPED: 3,
    }
    assert outcome.problems == {}


def test_what_a_device_itself_has_named_gets_no_label_of_ours():
    ward = Ward(("snmp", [counter("ifHCInOctets", 7, labelled(ifName="eth0"))]))

    values, _ = ward.visit()

    assert values["ifHCInOctets", labelled(ifName="eth0")] == 7


def test_a_failure_keeps_what_was_read_until_then_and_says_why():
    partial = [gauge("probe_http_status_code", 503)]
    ward = Ward(("front", Failed("status", "the answer is 503", partial)), ("icmp", []))

    values, outcome = ward.visit()

    assert values["probe_success", of("front")] == 0
    assert values["tocsin_probe_failure", of("front", reason="status")] == 1
    assert values["probe_http_status_code", of("front")] == 503
    assert values["probe_success", of("icmp")] == 1
    assert outcome.problems["front"] == ("status", "the answer is 503")
    assert list(outcome.problems) == ["front"]


@pytest.mark.parametrize(
    "bad",
    [
        RuntimeError("a mistake\x1b[2J"),
        KeyError("x" * 5000),
        None,
        7,
        [7],
        [("probe_success",)],
        (sample for sample in ()),
    ],
)
def test_whatever_else_a_method_does_is_a_fault_of_ours_and_hurts_no_other_probe(bad):
    ward = Ward(("bad", lambda *_: bad), ("icmp", []))

    values, outcome = ward.visit()

    assert values["tocsin_probe_failure", of("bad", reason="internal")] == 1
    assert values["probe_success", of("icmp")] == 1
    assert outcome.problems["bad"].words.isprintable()
    assert len(outcome.problems["bad"].words) <= 300


def test_methods_are_made_once_and_a_misdeclared_one_fails_at_every_round():
    ward = Ward(("gopher", []))

    def make(kind, options, open_secret):
        raise Misdeclared("there is no probe 'gopher'")

    ward.visitor._probing[0]._make = make
    for _ in range(2):
        values, outcome = ward.visit()
        assert values["tocsin_probe_failure", of("gopher", reason="internal")] == 1
        assert "gopher" in outcome.problems["gopher"].words

    healthy = Ward(("icmp", []))
    healthy.visit()
    healthy.visit()
    assert healthy.made == ["icmp"]


@pytest.mark.parametrize("timeout_s", [0, -1, 31, "5", True, float("nan"), None])
def test_a_timeout_that_is_none_is_misdeclared(timeout_s):
    ward = Ward(("icmp", []), timeout_s=timeout_s)

    _, outcome = ward.visit()

    assert "timeout_s" in outcome.problems["icmp"].words


def test_all_probes_share_the_devices_deadline_and_those_that_get_no_time_say_so():
    ward = Ward(("a", takes(5)), ("b", takes(3)), ("c", takes(0)), every_s=8, timeout_s=6)

    _, outcome = ward.visit()

    assert ward.deadlines == {"a": 6, "b": 3}
    assert outcome.problems["c"].reason == "timeout"


def test_a_device_that_has_more_series_than_a_frame_can_carry_keeps_those_about_its_probes():
    many = [gauge("ifOperStatus", 1, labelled(ifName=str(number))) for number in range(20)]
    ward = Ward(("a", many), ("b", many[:5]), ("c", many[:5]), most_series=20)

    values, outcome = ward.visit()

    assert {probe: problem.reason for probe, problem in outcome.problems.items()} == {"a": "endless"}
    assert values["probe_success", of("c")] == 1
    assert len(outcome.samples) <= 20 + 10


def test_names_that_no_push_could_carry_are_not_sent():
    flood = [gauge("ifAlias", 1, labelled(ifAlias=f"{number} " + "x" * 900)) for number in range(700)]
    ward = Ward(("snmp", flood))

    values, outcome = ward.visit()

    assert sum(len(label[0][1]) for _, label in values if label) < MOST_SCHEMA_BYTES
    assert outcome.problems["snmp"].reason == "endless"


@pytest.mark.parametrize(
    "sample",
    [
        gauge("", 1),
        gauge("if oper", 1),
        gauge("n" * 201, 1),
        gauge("ifOperStatus", "up"),
        gauge("ifOperStatus", "1"),
        gauge("ifOperStatus", None),
        gauge("ifOperStatus", 10**400),
        gauge("ifOperStatus", 1, (("ifName", "x" * 1025),)),
        gauge("ifOperStatus", 1, (("ifName", "\ud800"),)),
        gauge("ifOperStatus", 1, (("ifName", ""),)),
        gauge("ifOperStatus", 1, (("z", "1"), ("a", "2"))),
        gauge("ifOperStatus", 1, (("a", "1"), ("a", "2"))),
        gauge("ifOperStatus", 1, (("if name", "1"),)),
        gauge("ifOperStatus", 1, (("probe", "1"),)),
        gauge("ifOperStatus", 1, tuple((f"l{number:02}", "1") for number in range(31))),
    ],
)
def test_a_series_that_a_server_would_refuse_is_malformed_and_costs_no_other(sample):
    ward = Ward(("snmp", [gauge("sysUpTime", 1), sample]), ("icmp", []))

    values, outcome = ward.visit()

    assert outcome.problems["snmp"].reason == "malformed"
    assert values["probe_success", of("icmp")] == 1


_NAMES = st.sampled_from(["sysUpTime", "probe_http_ssl", "tocsin_ssh_value", ""]) | st.text(max_size=4)
_SAMPLES = st.builds(
    Sample,
    name=_NAMES,
    kind=st.sampled_from(SeriesKind),
    labels=st.lists(
        st.tuples(st.sampled_from(["ifName", "phase", "probe"]) | st.text(max_size=3), st.text(max_size=4)),
        max_size=3,
    ).map(lambda labels: tuple(sorted(labels))),
    value=st.floats() | st.integers() | st.text(max_size=1),
)


@settings(max_examples=share(300))
@given(st.lists(st.lists(_SAMPLES, max_size=4), min_size=1, max_size=3))
def test_whatever_methods_give_the_server_takes_the_schema(visits):
    ward = Ward(("snmp", lambda *_: visits[0]), ("front", lambda *_: visits[-1]))
    framer = Framer(1, host="switch-1")

    for _ in range(2):
        framer.frame(ward.visitor.visit(time_ms=0, skipped=0).samples, time_ms=0)

        assert decode_schema(framer.schema.packed).host == "switch-1"
        assert msgpack.unpackb(framer.schema.packed)[0] == "switch-1"
