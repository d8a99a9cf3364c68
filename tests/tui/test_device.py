"""What is said of a device is read off its readings, whatever it has put into them."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene
from tests.tui.hostile import HOSTILE

from tocsin_protocol.hosts import Reading
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_tui.format import Tone
from tocsin_tui.sheets.device import Rates, interface_lines, interfaces, probe_lines, uptime
from tocsin_tui.sheets.host import heading

NAMES = ("probe_success", "probe_http_status_code", "probe_ssl_earliest_cert_expiry", "tocsin_probe_failure")


def told(readings: list[Reading]) -> list[str]:
    return [line.text for line in probe_lines(readings, now=scene.NOW)]


def octets(name: str, value: float | None, *, seconds: float = 0, metric: str = "ifHCInOctets") -> Reading:
    reading = scene.reading(metric, value, SeriesKind.COUNTER, ifName=name, ifIndex="1")
    return msgspec.structs.replace(reading, at=scene.NOW + timedelta(seconds=seconds))


def test_probes_that_fail_stand_first_with_the_reason_in_a_warning_tone() -> None:
    lines = probe_lines(scene.a_switch(), now=scene.NOW)

    assert [line.text for line in lines] == ["! ssh:  host_key_changed · 0.031 s", "✓ snmp: 0.184 s"]
    assert ("host_key_changed", Tone.WARN) in lines[0].spans


def test_an_application_tells_status_duration_and_days_of_its_certificate() -> None:
    assert told(scene.a_shop()) == [
        "! search: timeout · 5 s",
        "✓ front:  status 200 · 0.42 s · certificate expires in 9 d",
        "✓ icmp:   round trip 11 ms",
    ]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (30.5, ("certificate expires in 30 d", Tone.PLAIN)),
        (13.9, ("certificate expires in 13 d", Tone.WARN)),
        (2.9, ("certificate expires in 2 d", Tone.BAD)),
        (-0.1, ("certificate has expired", Tone.BAD)),
    ],
)
def test_a_certificate_worries_as_it_does_the_rules(days: float, expected: tuple[str, Tone]) -> None:
    ends = (scene.NOW + timedelta(days=days)).timestamp()
    readings = [
        scene.reading("probe_success", 1.0, probe="tls"),
        scene.reading("probe_ssl_earliest_cert_expiry", ends, probe="tls"),
    ]

    assert probe_lines(readings, now=scene.NOW)[0].spans[-1] == expected


def test_a_command_tells_how_it_has_ended_and_what_it_has_said() -> None:
    readings = [
        scene.reading("probe_success", 0.0, probe="ssh"),
        scene.reading("tocsin_ssh_exit_status", 2.0, probe="ssh"),
        scene.reading("tocsin_ssh_value", 41.5, probe="ssh"),
        scene.reading("tocsin_probe_failure", 1.0, probe="ssh", reason="exit_status"),
    ]

    assert told(readings) == ["! ssh: exit_status · exit status 2 · value 41.5"]


def test_interfaces_stand_in_the_order_of_the_device_with_what_they_are_for() -> None:
    found = interfaces(scene.a_switch())

    assert [each.name for each in found] == ["Te1/0/1", "Te1/0/3", "Gi1/0/7", "Gi1/0/9"]
    assert [each.state for each in found] == [
        ("up", Tone.GOOD),
        ("down", Tone.BAD),
        ("admin down", Tone.DIM),
        ("down", Tone.DIM),  # nobody has described it: it is no worry
    ]
    assert (found[1].alias, found[1].speed) == ("hv-11", 1e10)
    assert interface_lines(found, Rates())[0].text == "4 interfaces   1 up, 2 down"
    assert interface_lines([], Rates()) == []


def test_a_rate_is_known_from_the_second_poll_on() -> None:
    rates = Rates()

    rates.follow([octets("eth0", 1000)])
    assert rates.of("eth0", "in") is None
    rates.follow([octets("eth0", 1000)])  # read again before the next poll
    rates.follow([octets("eth0", 4000, seconds=30)])

    assert rates.of("eth0", "in") == 800
    assert rates.of("eth0", "out") is None


def test_a_counter_that_began_anew_has_no_rate_until_the_next_poll() -> None:
    rates = Rates()

    for value, seconds in ((5000, 0), (10, 30)):
        rates.follow([octets("eth0", value, seconds=seconds, metric="ifOutOctets")])
    assert rates.of("eth0", "out") is None
    rates.follow([octets("eth0", 3010, seconds=60, metric="ifOutOctets")])

    assert rates.of("eth0", "out") == 800


def test_uptime_counts_hundredths() -> None:
    assert uptime([scene.reading("sysUpTime", 8_640_000.0)]) == timedelta(days=1)
    assert uptime([]) is None
    assert uptime([scene.reading("sysUpTime", 1e300)]) is None


readings = st.builds(
    scene.reading,
    st.sampled_from([*NAMES, "ifOperStatus", "ifAdminStatus", "ifSpeed", "ifHCInOctets", "sysUpTime"]),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    probe=st.sampled_from(["a", *HOSTILE]),
    ifName=st.sampled_from(["", "eth0", *HOSTILE]),
    ifIndex=st.sampled_from(["", "1", "9" * 40, "²", "-1"]),
)


@given(st.lists(readings, max_size=20))
def test_no_reading_makes_it_fail(hostile: list[Reading]) -> None:
    rates = Rates()
    rates.follow(hostile)

    probe_lines(hostile, now=scene.NOW)
    interface_lines(interfaces(hostile), rates)
    uptime(hostile)


def test_a_host_whose_agent_is_cloned_says_so_wherever_it_stands() -> None:
    row = msgspec.structs.replace(scene.hosts()[0], cloned=True)

    first = heading(row, None, now=scene.NOW)[0]

    assert "two hosts run with its agent's key: neither is heard" in first.text
