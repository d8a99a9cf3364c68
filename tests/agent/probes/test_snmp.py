"""SNMP: names that stay with their interfaces, and devices that answer badly, for ever, or not at all."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.probes.snmp_agent import (
    IF_ALIAS,
    IF_DESCR,
    IF_NAME,
    IF_NUMBER,
    IF_TABLE,
    UP_TIME,
    WIDE_COLUMNS,
    Device,
    Request,
    counter64,
    integer,
    interfaces,
    octets,
    response,
    ticks,
    tlv,
)
from tests.examples import share

from tocsin_agent.probes import ifmib, snmp
from tocsin_agent.probes.dial import Resolver
from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.readings import Sample
from tocsin_protocol.vocabulary import SeriesKind

pytestmark = pytest.mark.peers

COMMUNITY = b"hush-hush"
ATLAS = {1: "eth1", 2: "eth2", 7: "eth7"}
RENUMBERED = {1: "eth7", 2: "eth1", 9: "eth2"}


def made(port: int, /, **options: object) -> snmp.Snmp:
    declared = {"address": "127.0.0.1", "port": port, "community": "sealed:x", **options}
    return snmp.Snmp(declared, lambda _: COMMUNITY)


def polled(device: Device, *, deadline_s: float = 5.0, **options: object) -> list[Sample]:
    return made(device.port, **options).probe(deadline_s)


def failure_of(device: Device, *, deadline_s: float = 5.0, **options: object) -> Failed:
    with pytest.raises(Failed) as caught:
        polled(device, deadline_s=deadline_s, **options)
    assert COMMUNITY.decode() not in caught.value.words
    return caught.value


def by_name(samples: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """The values of each metric by ifName, or by ifDescr where there is none."""
    found: dict[str, dict[str, float]] = {}
    for name, _, labels, value in samples:
        told = dict(labels)
        found.setdefault(name, {})[told.get("ifName") or told.get("ifDescr", "")] = value
    return found


def only(samples: Iterable[Sample], name: str) -> float:
    (sample,) = [sample for sample in samples if sample.name == name]
    return sample.value


def mixed(samples: Iterable[Sample]) -> list[Sample]:
    """Those whose number is of another interface than their name."""
    return [
        sample
        for sample in samples
        if sample.labels and int(dict(sample.labels)["ifName"][-1]) != sample.value // 1000
    ]


def test_names_kinds_and_values_are_those_of_if_mib() -> None:
    with Device(interfaces({3: "eth3"})) as device:
        samples = polled(device)

    told = {name: (kind, value) for name, kind, _, value in samples}
    gauge, counter = SeriesKind.GAUGE, SeriesKind.COUNTER
    assert told == {
        "sysUpTime": (gauge, 4711),
        "ifNumber": (gauge, 1),
        "tocsin_snmp_interfaces_left_out": (gauge, 0),
        "ifType": (gauge, 3003),
        "ifMtu": (gauge, 3004),
        "ifSpeed": (gauge, 3005),
        "ifAdminStatus": (gauge, 3007),
        "ifOperStatus": (gauge, 3008),
        "ifLastChange": (gauge, 3009),
        "ifInDiscards": (counter, 3013),
        "ifInErrors": (counter, 3014),
        "ifInUnknownProtos": (counter, 3015),
        "ifOutDiscards": (counter, 3019),
        "ifOutErrors": (counter, 3020),
        "ifHCInOctets": (counter, 3106),
        "ifHCInUcastPkts": (counter, 3107),
        "ifHCInMulticastPkts": (counter, 3108),
        "ifHCInBroadcastPkts": (counter, 3109),
        "ifHCOutOctets": (counter, 3110),
        "ifHCOutUcastPkts": (counter, 3111),
        "ifHCOutMulticastPkts": (counter, 3112),
        "ifHCOutBroadcastPkts": (counter, 3113),
        "ifHighSpeed": (gauge, 3115),
    }
    assert {sample.labels for sample in samples if sample.name.startswith("ifHC")} == {
        (("ifAlias", "to eth3"), ("ifDescr", "Port eth3"), ("ifIndex", "3"), ("ifName", "eth3"))
    }


def test_narrow_counters_stand_in_where_there_are_no_wide_ones() -> None:
    objects = interfaces(ATLAS)
    del objects[*WIDE_COLUMNS[0], 2]
    with Device(objects) as device, Device(interfaces(ATLAS, without=WIDE_COLUMNS)) as old:
        values, old_values = by_name(polled(device)), by_name(polled(old))

    assert values["ifHCInOctets"] == {"eth1": 1106, "eth7": 7106}
    assert values["ifInOctets"] == {"eth2": 2010}
    assert old_values["ifInOctets"] == {"eth1": 1010, "eth2": 2010, "eth7": 7010}
    assert not [name for name in old_values if name.startswith("ifHC")]


def test_a_wide_counter_starts_again_where_a_float_would_skip_numbers() -> None:
    objects = interfaces({1: "eth1"})
    objects[*WIDE_COLUMNS[0], 1] = tlv(0x46, ((1 << 64) - 1).to_bytes(9))
    with Device(objects) as device:
        assert by_name(polled(device))["ifHCInOctets"] == {"eth1": (1 << 53) - 1}

        objects[*WIDE_COLUMNS[0], 1] = counter64((1 << 53) + 5)
        assert by_name(polled(device))["ifHCInOctets"] == {"eth1": 5}


def test_interfaces_keep_their_values_when_they_are_numbered_anew() -> None:
    with Device(interfaces(ATLAS)) as device:
        before = by_name(polled(device))
        device.objects = interfaces(RENUMBERED)
        after = polled(device)

    assert before == by_name(after)
    assert ("ifIndex", "9") in next(sample.labels for sample in after if ("ifName", "eth2") in sample.labels)


@pytest.mark.parametrize("moment", range(34))
def test_no_value_goes_to_a_wrong_name_when_they_are_numbered_anew_in_the_middle(moment: int) -> None:
    def renumbering(device: Device, request: Request) -> Iterator[bytes]:
        if len(device.requests) > moment:
            device.objects = interfaces(RENUMBERED)
        return device.well(request)

    with Device(interfaces(ATLAS), behaviour=renumbering) as device:
        samples = polled(device)

    assert mixed(samples) == []


def test_an_interface_that_has_kept_its_number_is_read_although_others_change_theirs() -> None:
    def renumbering(device: Device, request: Request) -> Iterator[bytes]:
        if len(device.requests) == 10:
            device.objects = interfaces({1: "eth1", 2: "eth7", 9: "eth2"})
        return device.well(request)

    with Device(interfaces(ATLAS), behaviour=renumbering) as device:
        samples = polled(device)

    assert by_name(samples)["ifOperStatus"] == {"eth1": 1008}
    assert only(samples, "tocsin_snmp_interfaces_left_out") == 2


@pytest.mark.parametrize("moment", range(30))
def test_without_if_name_the_description_is_the_name(moment: int) -> None:
    def renumbering(device: Device, request: Request) -> Iterator[bytes]:
        if len(device.requests) > moment:
            device.objects = interfaces(RENUMBERED, without=[IF_NAME])
        return device.well(request)

    with Device(interfaces(ATLAS, without=[IF_NAME]), behaviour=renumbering) as device:
        samples = polled(device)
        settled = by_name(polled(device))

    assert [s for s in samples if s.labels and int(dict(s.labels)["ifDescr"][-1]) != s.value // 1000] == []
    assert settled["ifOperStatus"] == {"Port eth1": 1008, "Port eth2": 2008, "Port eth7": 7008}


def test_an_interface_without_any_name_is_left_out() -> None:
    objects = interfaces(ATLAS) | {(*IF_NAME, 2): octets(b""), (*IF_DESCR, 2): octets(b"")}
    with Device(objects) as device:
        samples = polled(device)

    assert by_name(samples)["ifOperStatus"] == {"eth1": 1008, "eth7": 7008}
    assert only(samples, "tocsin_snmp_interfaces_left_out") == 1


def test_a_device_that_restarts_meanwhile_tells_nothing_of_its_interfaces() -> None:
    def restarting(device: Device, request: Request) -> Iterator[bytes]:
        if len(device.requests) == 12:
            device.objects |= {UP_TIME: ticks(3)}
        return device.well(request)

    with Device(interfaces(ATLAS), behaviour=restarting) as device:
        samples = polled(device)

    assert {sample.name for sample in samples} == {"sysUpTime", "ifNumber", "tocsin_snmp_interfaces_left_out"}
    assert only(samples, "tocsin_snmp_interfaces_left_out") == 3


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (b"up\x1b[2Jlink\x00\r\n", "up[2Jlink"),
        # No UTF-8, and a letter that is cut in two.
        (b"M\xfcnchen", "M�nchen"),
        ("Zürich".encode(), "Zürich"),
        # An order to write from right to left.
        ("a\u202eb".encode(), "ab"),
        (b"x" * 250, "x" * 128),
        (b"\x07\x08", ""),
    ],
)
def test_a_label_holds_nothing_that_a_terminal_obeys_and_has_an_end(raw: bytes, label: str) -> None:
    with Device(interfaces({1: "eth1"}) | {(*IF_ALIAS, 1): octets(raw)}) as device:
        samples = polled(device)

    labels = next(dict(sample.labels) for sample in samples if sample.name == "ifOperStatus")
    assert labels.get("ifAlias", "") == label


def test_texts_that_are_too_long_together_are_read_one_by_one() -> None:
    names = {index: f"eth{index}" for index in range(1, 10)}
    objects = interfaces(names) | {(*IF_ALIAS, index): octets(b"y" * 900) for index in names}
    with Device(objects) as device:
        samples = polled(device)

    assert len(by_name(samples)["ifOperStatus"]) == 9


@pytest.mark.parametrize("value", [octets(b"12"), integer(-1), tlv(0x06, b"\x2b\x06"), tlv(0x05, b"")])
def test_what_is_no_number_is_left_out(value: bytes) -> None:
    with Device(interfaces({1: "eth1", 2: "eth2"}) | {(*IF_TABLE, 8, 1): value}) as device:
        values = by_name(polled(device))

    assert values["ifOperStatus"].keys() <= {"eth2"}
    assert values["ifAdminStatus"] == {"eth1": 1007, "eth2": 2007}


def test_more_interfaces_than_allowed_are_left_out_and_counted() -> None:
    with Device(interfaces({index: f"eth{index}" for index in range(1, 6)})) as device:
        samples = polled(device, max_interfaces=3)

    assert by_name(samples)["ifOperStatus"].keys() == {"eth1", "eth2", "eth3"}
    assert only(samples, "tocsin_snmp_interfaces_left_out") == 2


def test_a_device_with_very_many_interfaces_gives_what_a_frame_can_carry() -> None:
    with Device(interfaces({index: f"port-{index:04}" for index in range(1, 401)})) as device:
        samples = polled(device, deadline_s=30)

    values = by_name(samples)
    assert 4000 < len(samples) < 5000
    assert len(values["ifOperStatus"]) == len(values["ifHCInOctets"]) == 400


def test_a_datagram_that_is_lost_is_asked_for_again() -> None:
    def losing(device: Device, request: Request) -> Iterator[bytes]:
        return device.well(request) if len(device.requests) not in (1, 5) else iter(())

    with Device(interfaces(ATLAS), behaviour=losing) as device:
        assert by_name(polled(device, deadline_s=1))["ifOperStatus"].keys() == {"eth1", "eth2", "eth7"}


def test_a_device_that_never_answers_may_have_another_community() -> None:
    with Device({}, behaviour=lambda _, __: ()) as device:
        failure = failure_of(device, deadline_s=0.3)

    assert failure.reason == "timeout"
    assert failure.words == (
        f"no answer from 127.0.0.1 on UDP port {device.port}: it is down or does not let this agent in, or a"
        " firewall is in the way; a wrong community looks the same"
    )


def drip(answers: Callable[[Device, Request], Iterable[bytes]]) -> Callable[[Device, Request], Iterator[bytes]]:
    """These answers, each a while after the one before."""

    def behaviour(device: Device, request: Request) -> Iterator[bytes]:
        for answer in answers(device, request):
            if device.has_ended.wait(0.05):
                return
            yield answer

    return behaviour


def stray(device: Device, request: Request) -> bytes:
    return response(request, device.varbinds(request), request_id=request.id ^ 1)


def flood(device: Device, request: Request) -> Iterator[bytes]:
    datagram = stray(device, request)
    while not device.has_ended.is_set():
        yield datagram


@pytest.mark.parametrize(
    "behaviour",
    [
        drip(Device.well),
        drip(lambda device, request: itertools.repeat(stray(device, request))),
        flood,
        # Right once, and then strays.
        lambda device, request: (
            device.well(request)
            if len(device.requests) == 1
            else drip(lambda d, r: itertools.repeat(stray(d, r)))(device, request)
        ),
    ],
)
def test_the_deadline_holds_whatever_the_device_does(behaviour) -> None:
    with Device(interfaces(ATLAS), behaviour=behaviour) as device:
        began_s = time.monotonic()
        failure = failure_of(device, deadline_s=0.6)
        took_s = time.monotonic() - began_s
        device.has_ended.set()

    assert failure.reason == "timeout"
    assert took_s < 1.5


def test_a_deadline_leaves_neither_descriptors_nor_threads_behind() -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with Device(interfaces(ATLAS), behaviour=drip(Device.well)) as device:
        before = held()
        for _ in range(3):
            with suppress(Failed):
                polled(device, deadline_s=0.2)
        after = held()

    # What an earlier test has left may end meanwhile: there may be less than before, and not more.
    assert all(now <= then for now, then in zip(after, before, strict=True))


def test_a_fuse_wakes_who_waits_and_leaves_no_socket_to_read_on_from() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", 9))
        fuse = snmp.Fuse(line.fileno(), 0.05)

        assert line.recv(100) == b""
        fuse.remove()
        with pytest.raises(OSError, match="Socket operation on non-socket"):
            line.recv(100)


def test_a_fuse_that_has_been_removed_touches_no_other_file_under_the_number() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        snmp.Fuse(ours.fileno(), 60).remove()

        theirs.send(b"still here")
        assert ours.recv(100) == b"still here"


def never_rising(device: Device, request: Request) -> Iterator[bytes]:
    yield response(request, [((*IF_NAME, 5), octets(b"eth5"))] * 2 if request.repetitions else [])


def turning_back(device: Device, request: Request) -> Iterator[bytes]:
    found = [((*IF_NAME, 5), octets(b"eth5")), ((*IF_NAME, 4), octets(b"eth4"))]
    yield response(request, found if request.repetitions else [])


def never_ending(device: Device, request: Request) -> Iterator[bytes]:
    if not request.repetitions:
        yield response(request, [])
        return
    first = request.oids[0][-1] if len(request.oids[0]) > len(IF_NAME) else 0
    found = [((*IF_NAME, first + more), octets(b"eth0")) for more in range(1, request.repetitions + 1)]
    yield response(request, found)


def never_ending_numbers(device: Device, request: Request) -> Iterator[bytes]:
    column = request.oids[0][: len(IF_TABLE) + 1]
    if column != (*IF_TABLE, 8):
        return device.well(request)
    first = request.oids[0][-1] if len(request.oids[0]) > len(column) else 0
    found = [((*column, first + more), integer(1)) for more in range(1, request.repetitions + 1)]
    return iter([response(request, found)])


@pytest.mark.parametrize("behaviour", [never_rising, turning_back, never_ending, never_ending_numbers])
def test_a_walk_without_an_end_is_ended(behaviour) -> None:
    with Device(interfaces({1: "eth1", 4_000_000_000: "eth4"}), behaviour=behaviour) as device:
        assert failure_of(device, deadline_s=20).reason == "endless"


def message(pdu: bytes) -> bytes:
    return tlv(0x30, integer(1) + octets(COMMUNITY) + pdu)


def varbinds(request: Request, listed: bytes) -> bytes:
    return message(tlv(0xA2, integer(request.id) + integer(0) + integer(0) + tlv(0x30, listed)))


MALFORMED: dict[str, Callable[[Request], bytes]] = {
    "nothing": lambda _: b"",
    "no BER": lambda _: b"\xff" * 50,
    "a tag without end": lambda _: b"\x3f\xff",
    "a length without bytes": lambda _: b"\x30\x84\xff",
    "a length of exabytes": lambda _: b"\x30\x88" + b"\xff" * 8,
    "no version": lambda _: tlv(0x30, b""),
    "another version": lambda _: tlv(0x30, integer(7) + octets(COMMUNITY)),
    "no PDU": lambda _: message(b""),
    "an unknown PDU": lambda _: message(tlv(0xBE, b"")),
    "an empty varbind": lambda request: varbinds(request, tlv(0x30, b"")),
    "a varbind without value": lambda request: varbinds(request, tlv(0x30, tlv(0x06, b"\x2b\x06"))),
    "an unknown type": lambda request: varbinds(request, tlv(0x30, tlv(0x06, b"\x2b\x06") + tlv(0x5E, b""))),
    "a short address": lambda request: varbinds(request, tlv(0x30, tlv(0x06, b"\x2b") + tlv(0x40, b"\x01"))),
    "more than a datagram may have": lambda request: response(request, [(UP_TIME, octets(b"z" * 9000))]),
    "half of it": lambda request: response(request, [(UP_TIME, ticks(1))])[:20],
    "something behind it": lambda request: response(request, [(UP_TIME, ticks(1))]) + b"\x00",
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_snmp_is_malformed_and_harms_no_other_device(answer: Callable[[Request], bytes]) -> None:
    with (
        Device(interfaces(ATLAS), behaviour=lambda _, request: [answer(request)]) as bad,
        Device(interfaces(ATLAS)) as good,
    ):
        failure = failure_of(bad, deadline_s=2)
        values = by_name(polled(good))

    assert failure.reason == "malformed"
    assert values["ifOperStatus"] == {"eth1": 1008, "eth2": 2008, "eth7": 7008}


@settings(max_examples=share(40))
@given(st.integers(1, 30), st.integers(0, 500), st.binary(min_size=1, max_size=4))
def test_an_answer_with_damage_gives_samples_or_a_failure(moment: int, place: int, damage: bytes) -> None:
    def damaging(device: Device, request: Request) -> Iterator[bytes]:
        for datagram in device.well(request):
            at = place % len(datagram)
            broken = datagram[:at] + damage + datagram[at + len(damage) :]
            yield broken if len(device.requests) >= moment else datagram

    with Device(interfaces(ATLAS), behaviour=damaging) as device:
        try:
            samples = polled(device, deadline_s=0.2)
        except Failed as failure:
            samples = list(failure.samples)

    assert all(isinstance(sample.value, int) for sample in samples)


def test_an_answer_with_another_community_or_from_another_address_is_none() -> None:
    def strange(device: Device, request: Request) -> Iterator[bytes]:
        datagram = response(request, device.varbinds(request))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(datagram, device.peer)
        yield response(request._replace(community=b"public"), device.varbinds(request))

    with Device(interfaces(ATLAS), behaviour=strange) as device:
        assert failure_of(device, deadline_s=0.3).reason == "timeout"


def test_a_port_without_a_listener_refuses() -> None:
    with Device({}) as device:
        pass

    assert failure_of(device).reason == "refused"


def test_an_address_that_nothing_may_be_sent_to_is_unreachable() -> None:
    with pytest.raises(Failed) as caught:
        made(161, address="255.255.255.255").probe(1.0)

    assert caught.value.reason == "unreachable"
    assert caught.value.words == "255.255.255.255 cannot be reached: Permission denied"


def test_a_name_that_does_not_resolve_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(snmp, "RESOLVER", Resolver(getaddrinfo=unknown))

    with pytest.raises(Failed) as caught:
        made(161, address="switch.acme.example").probe(1.0)

    assert caught.value.reason == "name"


def test_a_device_that_shows_nothing_lacks_a_view() -> None:
    with Device({(1, 3, 6, 1, 4, 1, 1): integer(1)}) as device:
        assert failure_of(device).reason == "credential"


def test_an_answer_in_v3_that_is_no_snmp_is_malformed() -> None:
    with Device({}, behaviour=lambda _, __: [b"\xff" * 50]) as device:
        assert failure_of(device, version="3", user="alice").reason == "malformed"


@pytest.mark.parametrize(
    "options",
    [
        {"version": "1"},
        {"community": None},
        {"max_interfaces": ifmib.MOST_INTERFACES + 1},
        {"max_interfaces": 0},
        {"port": 0},
        {"address": "two words"},
        {"version": "3"},
        {"version": "3", "user": "alice", "auth": "crc32", "auth_key": "sealed:x"},
        # A key must not be left unused in silence, nor an algorithm without a key.
        {"version": "3", "user": "alice", "auth_key": "sealed:x"},
        {"version": "3", "user": "alice", "auth": "sha1"},
        {"version": "3", "user": "alice", "priv": "aes128", "priv_key": "sealed:x"},
        {"version": "3", "user": "alice", "auth": "sha1", "auth_key": "sealed:x", "priv_key": "sealed:x"},
    ],
)
def test_a_wrong_declaration_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(Misdeclared):
        made(161, **options)


@pytest.mark.parametrize(
    ("secret", "options"),
    [
        (b"\xff\xfe", {}),
        # RFC 3414 wants eight; of none, no key can be made at all.
        (b"", {"version": "3", "user": "alice", "auth": "sha1", "auth_key": "sealed:x"}),
        (b"seventy", {"version": "3", "user": "alice", "auth": "sha1", "auth_key": "sealed:x"}),
    ],
)
def test_a_secret_that_cannot_be_used_is_a_wrong_credential(secret: bytes, options: dict[str, object]) -> None:
    declared = {"address": "127.0.0.1", "community": "sealed:x", **options}

    with pytest.raises(Failed) as caught:
        snmp.Snmp(declared, lambda _: secret)

    assert caught.value.reason == "credential"


def test_if_number_alone_does_not_make_a_walk_longer() -> None:
    with Device(interfaces(ATLAS) | {IF_NUMBER: integer(2_000_000_000)}) as device:
        samples = polled(device, max_interfaces=2)

    assert by_name(samples)["ifOperStatus"].keys() == {"eth1", "eth2"}
