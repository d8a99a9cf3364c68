"""The book of devices: what the contract says is read, and any other bytes are refused whole."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.probes.book import Book, Device, Misread, Probe, read_book
from tocsin_protocol.wire import MAX_DEVICES_PER_AGENT, MAX_PROBES_PER_DEVICE

PROBE = {"kind": "icmp", "name": "icmp", "address": "192.0.2.10"}
DEVICE = {"name": "switch-1", "every_s": 30, "probes": [PROBE]}


def packed(*devices: object, digest: object = "5f1c") -> bytes:
    return msgpack.packb({"digest": digest, "devices": list(devices)})


def test_devices_and_their_probes_are_read_with_each_methods_own_options():
    probes = [
        PROBE,
        {"kind": "http", "name": "front", "url": "https://shop.example.org/", "expect_status": [200]},
    ]

    book = read_book(packed({"name": "Shop", "every_s": 5.5, "probes": probes}))

    options = {"url": "https://shop.example.org/", "expect_status": [200]}
    assert book == Book(
        "5f1c",
        (
            Device(
                "Shop",
                5.5,
                (Probe("icmp", "icmp", {"address": "192.0.2.10"}), Probe("front", "http", options)),
            ),
        ),
    )


def test_a_book_without_devices_needs_no_digest():
    assert read_book(packed(digest=None)) == Book("", ())


def test_a_digest_may_be_bytes_or_text():
    assert read_book(packed(digest=b"\x5f\x1c")).digest == "5f1c"


def with_device(**changed: object) -> bytes:
    return packed({**DEVICE, **changed})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        packed(DEVICE) + b"\x00",
        packed(DEVICE)[:-1],
        msgpack.packb([1, 2]),
        msgpack.packb({"digest": "5f1c"}),
        msgpack.packb({"digest": "5f1c", "devices": {}}),
        msgpack.packb({"digest": "5f1c", "devices": [7]}),
        msgpack.packb({1: 2}),
        b"\x91" * 5000,  # deeper than anything is nested
        packed(DEVICE, digest=""),
        packed(DEVICE, digest="x" * 1000),
        packed(DEVICE, {**DEVICE, "name": "SWITCH-1"}),
        with_device(name=""),
        with_device(name="-switch"),
        with_device(name="switch 1"),
        with_device(name="switch-1\n"),
        with_device(name="x" * 64),
        with_device(name=b"switch-1"),
        with_device(every_s=4.9),
        with_device(every_s=601),
        with_device(every_s=True),
        with_device(every_s="30"),
        with_device(every_s=float("nan")),
        with_device(probes=[]),
        with_device(probes={}),
        with_device(probes=[PROBE, PROBE]),
        with_device(probes=[{**PROBE, "name": str(number)} for number in range(MAX_PROBES_PER_DEVICE + 1)]),
        with_device(probes=[{**PROBE, "kind": 7}]),
        with_device(probes=[{**PROBE, "name": "\x1b[2J"}]),
        with_device(probes=[{"kind": "icmp"}]),
        with_device(probes=[{**PROBE, **{f"option{number}": 1 for number in range(100)}}]),
        with_device(probes=[{**PROBE, b"key": 1}]),
        packed(*({**DEVICE, "name": f"switch-{number}"} for number in range(MAX_DEVICES_PER_AGENT + 1))),
    ],
)
def test_what_is_no_book_is_refused_whole(body):
    with pytest.raises(Misread):
        read_book(body)


def test_as_many_devices_as_are_allowed_are_read():
    body = packed(*({**DEVICE, "name": f"switch-{number}"} for number in range(MAX_DEVICES_PER_AGENT)))

    assert len(read_book(body).devices) == MAX_DEVICES_PER_AGENT


def read_or_refused(body: bytes) -> bool:
    """Whether what came of it is a book in order or a refusal that a log can show."""
    try:
        book = read_book(body)
    except Misread as refused:
        return str(refused).isprintable()
    return bool(book.digest) or not book.devices


@settings(max_examples=share(300))
@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_read_or_be_refused(body):
    assert read_or_refused(body)


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["digest", "devices", "name", "every_s", "probes", "kind"]) | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=share(300))
@given(_ANYTHING, _ANYTHING, _ANYTHING)
def test_whatever_stands_where_a_value_should_be_is_read_or_refused(first, second, third):
    for said in (
        first,
        {"digest": first, "devices": [second, third]},
        {"digest": "5f1c", "devices": [{**DEVICE, "probes": [first], "every_s": second}]},
        {"digest": "5f1c", "devices": [{**DEVICE, "name": third}]},
    ):
        assert read_or_refused(msgpack.packb(said))
