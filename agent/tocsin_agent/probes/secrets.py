"""Sealed secrets: a community or a key that was sealed to this agent's own key, opened where it is used.

The server hands on what it cannot read. The X25519 form of the agent's Ed25519 key opens it, so that an agent
needs no second key; see `tocsin_protocol.wire`.
"""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable

from nacl.bindings import (
    crypto_box_seal_open,
    crypto_sign_ed25519_pk_to_curve25519,
    crypto_sign_ed25519_sk_to_curve25519,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import CryptoError

from tocsin_agent.probes.failure import Failed
from tocsin_protocol.wire import MAX_SEALED_CHARACTERS, SEALED_PREFIX


def secret_opener(seeds: Callable[[], Iterable[bytes]]) -> Callable[[str], bytes]:
    """What opens the secrets that are sealed to any of these keys, as they are by then; it raises `Failed`."""

    def open_secret(sealed: str) -> bytes:
        for seed in seeds():
            try:
                return _opened(sealed, seed)
            except (CryptoError, ValueError, TypeError):
                continue
        # Neither the word nor why: both could say something about the secret.
        raise Failed(
            "credential",
            "a secret cannot be opened by this agent: seal it again, to the agent that probes the device",
        )

    return open_secret


def _opened(sealed: str, seed: bytes) -> bytes:
    public, private = crypto_sign_seed_keypair(seed)
    box_public = crypto_sign_ed25519_pk_to_curve25519(public)
    box_private = crypto_sign_ed25519_sk_to_curve25519(private)
    secret: bytes = crypto_box_seal_open(_box(sealed), box_public, box_private)
    return secret


def _box(sealed: str) -> bytes:
    """The sealed box in the word; `ValueError` where there is none."""
    if not sealed.startswith(SEALED_PREFIX) or len(sealed) > MAX_SEALED_CHARACTERS:
        raise ValueError("not a sealed secret")
    word = sealed[len(SEALED_PREFIX) :]
    try:
        return urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except binascii.Error as error:
        raise ValueError("not in base64") from error
