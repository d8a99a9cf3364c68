"""Secrets that are sealed to this agent are opened, and nothing else is; what is said of it names no secret."""

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import SealedBox
from nacl.signing import SigningKey
from tests.examples import share

from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.secrets import secret_opener
from tocsin_protocol.wire import MAX_SEALED_CHARACTERS, SEALED_PREFIX

SEED = bytes(range(32))
OPEN = secret_opener(lambda: [SEED])


def sealed(secret: bytes, seed: bytes = SEED) -> str:
    box = SealedBox(SigningKey(seed).verify_key.to_curve25519_public_key())
    return SEALED_PREFIX + base64.urlsafe_b64encode(box.encrypt(secret)).decode().rstrip("=")


@given(st.binary(max_size=300))
def test_what_was_sealed_to_this_agent_is_opened(secret):
    assert OPEN(sealed(secret)) == secret


def test_what_was_sealed_to_a_key_before_and_to_one_that_came_later_is_opened_too():
    seeds = [SEED]
    opened = secret_opener(lambda: seeds)

    seeds.insert(0, b"n" * 32)

    assert [opened(sealed(b"one")), opened(sealed(b"two", b"n" * 32))] == [b"one", b"two"]


def test_what_was_sealed_to_another_agent_is_a_credential_that_fails():
    with pytest.raises(Failed) as failed:
        OPEN(sealed(b"community", os.urandom(32)))

    assert failed.value.reason == "credential"
    assert "seal it again" in failed.value.words


@pytest.mark.parametrize(
    "word",
    [
        "community",  # in clear: refused, so that nobody gets used to it
        SEALED_PREFIX,
        SEALED_PREFIX + "AAAA",
        SEALED_PREFIX + "ä",
        SEALED_PREFIX + "A" * MAX_SEALED_CHARACTERS,
        sealed(b"community")[:-2],
        sealed(b"community").replace(SEALED_PREFIX, "Sealed:"),
    ],
    ids=["clear", "empty", "short", "no base64", "long", "cut", "another prefix"],
)
def test_any_other_word_is_a_credential_that_fails(word):
    with pytest.raises(Failed) as failed:
        OPEN(word)

    assert failed.value.reason == "credential"
    assert word[:20] not in failed.value.words


@settings(max_examples=share(200))
@given(st.text())
def test_no_text_makes_it_fail_in_another_way(text):
    for word in (text, SEALED_PREFIX + text):
        with pytest.raises(Failed):
            OPEN(word)
