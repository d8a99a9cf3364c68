"""When a certificate ends, read from its own bytes: as another reader reads it, or refused."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tocsin_agent.probes.certificate import NotDer, earliest_end, not_after

KEY = ec.generate_private_key(ec.SECP256R1())
SECONDS = st.integers(
    int(datetime(1951, 1, 1, tzinfo=UTC).timestamp()), int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
)


def certificate(end: datetime, *, serial: int = 1, name: str = "atlas") -> bytes:
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=named,
        subject_name=named,
        public_key=KEY.public_key(),
        serial_number=serial,
        not_valid_before=end - timedelta(days=1),
        not_valid_after=end,
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@given(seconds=SECONDS, serial=st.integers(1, 2**159), name=st.text("abcé", min_size=1, max_size=32))
def test_the_end_is_the_one_that_was_written(seconds, serial, name):
    der = certificate(datetime.fromtimestamp(seconds, UTC), serial=serial, name=name)

    assert seconds == not_after(der)


def test_the_earliest_of_a_chain_counts():
    later, sooner = datetime(2050, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert sooner.timestamp() == earliest_end([certificate(later), certificate(sooner)])


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(NotDer):
        earliest_end([])


GOOD = certificate(datetime(2030, 1, 1, tzinfo=UTC))


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(noise):
    with pytest.raises(NotDer):
        not_after(noise)


@given(at=st.integers(0, 249), fault=st.integers(0, 255))
def test_a_certificate_with_a_fault_is_refused_or_read_but_never_breaks_the_reader(at, fault):
    der = bytearray(GOOD)
    der[at] = fault

    try:
        end = not_after(bytes(der))
    except NotDer:
        return

    assert isinstance(end, float)


def test_a_certificate_that_is_cut_off_is_refused():
    for size in range(len(GOOD)):
        with pytest.raises(NotDer):
            not_after(GOOD[:size])


@pytest.mark.parametrize(
    "fault",
    [
        (b"300101000000Z", b"301301000000Z"),  # there is no thirteenth month
        (b"300101000000Z", b"3001010000+1Z"),  # a sign is no digit
        (b"300101000000Z", b"30010100000aZ"),
        (b"\x30\x82", b"\x30\x80"),  # an indefinite length is BER, not DER
        (b"\x30\x82", b"\x30\x84"),  # a length of four bytes
    ],
)
def test_what_is_not_der_is_refused(fault):
    with pytest.raises(NotDer):
        not_after(GOOD.replace(*fault))
