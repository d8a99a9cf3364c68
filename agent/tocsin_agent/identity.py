"""Who this host is to its server: the agent's id, its Ed25519 key, and the server as the token pinned it.

`identity.json` in the state folder, readable by its owner only; written whole or not at all.
"""

import json
import os
from typing import NamedTuple

from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from tocsin_agent.errors import NotEnrolled, Untrusted
from tocsin_agent.report import say

FILE = "identity.json"
SEED_BYTES = 32


class Identity(NamedTuple):
    """What `enrol` has agreed. `seed` is the private half of the host's key.

    `former_seeds` are those of the keys before, the last first; `key_ms` is when the one in use was made, 0
    where it is the one of the enrolment.
    """

    agent: str
    host: str
    client: str
    site: str
    url: str
    fingerprint: str
    server_key: str
    seed: bytes
    former_seeds: tuple[bytes, ...] = ()
    key_ms: int = 0

    def __repr__(self) -> str:
        return f"Identity(agent={self.agent!r}, host={self.host!r}, url={self.url!r}, seed=…)"


def new_seed() -> bytes:
    """A private key that nobody else has."""
    return os.urandom(SEED_BYTES)


def public_key(seed: bytes) -> bytes:
    """The public half."""
    key: bytes = crypto_sign_seed_keypair(seed)[0]
    return key


def sign(seed: bytes, message: bytes) -> str:
    """The Ed25519 signature in hex."""
    return signature(seed, message).hex()


def signature(seed: bytes, message: bytes) -> bytes:
    """The Ed25519 signature."""
    signed: bytes = crypto_sign(message, crypto_sign_seed_keypair(seed)[1])
    return signed[:crypto_sign_BYTES]


def verify(server_key: str, message: bytes, signature: str) -> None:
    """Raises `Untrusted` unless the server that was enrolled with has signed this."""
    try:
        crypto_sign_open(bytes.fromhex(signature) + message, bytes.fromhex(server_key))
    except (CryptoError, ValueError, TypeError) as error:
        raise Untrusted(
            "the answer is not signed by the server of the enrolment token:"
            " if the server was set up anew, enrol again with --force; else somebody is in between"
        ) from error


def load(state: str) -> Identity:
    """The identity in a state folder; raises `NotEnrolled` where there is none to be read."""
    path = f"{state}/{FILE}"
    try:
        with open(path, "rb") as file:
            is_open_to_others = os.fstat(file.fileno()).st_mode & 0o077
            said = json.load(file)
        former = tuple(bytes.fromhex(seed) for seed in said.get("former_seeds", ()))
        identity = Identity(**{**said, "seed": bytes.fromhex(said["seed"]), "former_seeds": former})
    except FileNotFoundError as error:
        raise NotEnrolled(f"{path} does not exist: enrol this host with `tocsin-agent enrol TOKEN`") from error
    except OSError as error:
        raise NotEnrolled(f"{path} cannot be read ({error.strerror}): run as the folder's owner") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotEnrolled(f"{path} is damaged: enrol again with --force") from error
    if is_open_to_others:
        say(f"{path} can be read by others: chmod 600 {path}")
    return identity


def save(identity: Identity, state: str) -> None:
    """Write it so that a crash leaves the old one or the new one."""
    path, draft = f"{state}/{FILE}", f"{state}/{FILE}.new"
    former = [seed.hex() for seed in identity.former_seeds]
    said = {**identity._asdict(), "seed": identity.seed.hex(), "former_seeds": former}
    if os.path.exists(draft):
        os.unlink(draft)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(said, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    make_durable(state)


def make_durable(folder: str) -> None:
    """What was made, renamed or removed in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
