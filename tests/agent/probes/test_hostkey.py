"""The key of a host: the line that is declared, and its fingerprint as OpenSSH writes it."""

import base64

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_agent.probes.hostkey import HostKey, parse_host_key

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIDIhz2GK/XCUj4i6Q5yQJNL1MKMMSvjuhFVWQMCy7xVQ"


@pytest.mark.parametrize("line", [f"ssh-ed25519 {ED25519}", f"ssh-ed25519  {ED25519} root@atlas now"])
def test_a_line_of_a_pub_file_is_a_key(line):
    key = parse_host_key(line)

    assert key == HostKey("ssh-ed25519", base64.b64decode(ED25519))
    assert key.algorithms == ("ssh-ed25519",)


def test_the_fingerprint_is_that_of_paramiko():
    made = paramiko.ECDSAKey.generate(bits=384)
    key = parse_host_key(f"{made.get_name()} {made.get_base64()}")

    assert key is not None
    assert key.fingerprint == made.fingerprint


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        f"ssh-rsa {ED25519}",  # the type is not the one inside
        f"ssh-dss {ED25519}",
        f"atlas ssh-ed25519 {ED25519}",
        "ssh-ed25519 AAAA!",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",  # the type and no key
        "ssh-ed25519 é",
    ],
)
def test_what_is_no_key_is_none(line):
    assert parse_host_key(line) is None


@given(st.text() | st.text().map(lambda text: f"ssh-ed25519 {text}"))
def test_any_text_is_a_key_or_none(text):
    key = parse_host_key(text)

    assert key is None or key.kind in text
