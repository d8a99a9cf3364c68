"""What an agent and the server say to each other, to the byte; standard library only.

All requests are POST, bodies in msgpack:

- `ENROL_PATH`: a map `{v, token, key, name, os, version}`, signed with the host's new Ed25519 key
  (domain `ENROL_DOMAIN`). Answer: a map `{agent, host, client, site, interval_s}`, signed by the server.
- `HELLO_PATH`: a map `{v, agent, epoch, version, ephemeral, nonce, now_ms, run, machine, boot, name}`, signed
  by the agent (domain `HELLO_DOMAIN`). The last four say where it runs, and may be left out: `run` is random
  and made anew at each start, `machine` and `boot` are `origin_digest` of the host's machine id and its
  kernel's boot id, `name` is what the host calls itself. Answer: a map `{session, ephemeral, expires_s,
  interval_s, now_ms}`, signed by the server.
- `PUSH_PATH`: `zlib(msgpack([1, now_ms, [schema, …], [[epoch, seq, schema_id, [time_ms, …], matrix], …]]))`,
  with the session's id in hex in `SESSION_HEADER` and an HMAC-SHA256 in hex in `MAC_HEADER`. `now_ms` is the
  agent's clock as it sends. Answer: a map `{acked, interval_s, now_ms}`, for an agent that is to probe devices
  also `probes`, the digest of what it is to probe.
- `PROBES_PATH`: a map `{v, now_ms}`. Answer: a map `{digest, devices}`, each device a map `{name, every_s,
  probes}`, each probe a map `{kind, name, …}` whose other keys are its method's own (`tocsin_agent/probes/`).
- `ASK_PATH`: a map `{v, key, who, text, now_ms}`: somebody at the host asks for something. `key` is 16 random
  bytes, so that a question which is sent twice is asked once. Answer: a map `{ticket}`, its number.
- `KEY_PATH`: a map `{v, key, by_old, by_new, now_ms}`: the agent has made another Ed25519 pair. `key` is its
  public half, `by_old` and `by_new` are the signatures of both over `new_key_message`. Answer: a map
  `{overlap_s, now_ms}`: for so long the old key is accepted as well. Told again it is answered again.

The last three belong to a session as a push does: an HMAC-SHA256 in `MAC_HEADER` over `domain ‖ session ‖
body`. Their answers have one as well, over `answer domain ‖ session ‖ sha256(request body) ‖ answer body`.

A *sealed* secret is `sealed:` and, in URL-safe base64 without padding, a libsodium sealed box to the X25519
form of the Ed25519 key of the agent that is to use it: neither the server nor its files' readers can open it.

A signature stands as lower-case hex in `SIGNATURE_HEADER`, over `domain ‖ body`; the server signs its
answers over `domain ‖ sha256(request body) ‖ answer body`, so an answer belongs to one question.

A *frame* is one host's samples, usually at one instant: `matrix` is `len(times) × len(schema.series)`
float64, little-endian, row after row. An absent sample is `STALE_NAN`. `(agent, epoch, seq)` names a frame for
ever; an *epoch* is one run of the agent (nanoseconds at its start), and *seq* counts its frames from 0.

A *schema* is `msgpack([host, [[name, kind, [label, value, label, value, …]], …]])`, labels sorted by
name; its id is the first eight bytes, big-endian, of the SHA-256 of those bytes. `host` is empty for the
agent's own host, else the name of a device that this agent is declared to probe; any other is refused with
422. An agent sends a schema once a session; an unknown one is answered 409, and it is sent again.

Errors are RFC 9457 problem details in JSON. What an agent does with a status:

- network error, timeout, 408, 429, 5xx: keep and retry, full jitter, `Retry-After` honoured
- 401: hello, then again
- 409: the schemas, then again
- 403: revoked, or, where its type is `CLONED`, in quarantine; keep the spool, try once an hour
- 400, 413, 422: split the batch; a single refused frame goes to quarantine
"""

import base64
import binascii
import hashlib
import struct
import zlib
from typing import NamedTuple

VERSION = 1

ENROL_PATH = "/agent/v1/enrol"
HELLO_PATH = "/agent/v1/hello"
PUSH_PATH = "/agent/v1/push"
PROBES_PATH = "/agent/v1/probes"
ASK_PATH = "/agent/v1/ask"
KEY_PATH = "/agent/v1/key"

SESSION_HEADER = "tocsin-session"
MAC_HEADER = "tocsin-mac"
SIGNATURE_HEADER = "tocsin-signature"
CONTENT_TYPE = "application/x-tocsin"

ENROL_DOMAIN = b"tocsin-enrol-v1"
ENROL_ANSWER_DOMAIN = b"tocsin-enrol-answer-v1"
HELLO_DOMAIN = b"tocsin-hello-v1"
HELLO_ANSWER_DOMAIN = b"tocsin-hello-answer-v1"
SESSION_DOMAIN = b"tocsin-session-v1"
PUSH_DOMAIN = b"tocsin-push-v1"
PROBES_DOMAIN = b"tocsin-probes-v1"
PROBES_ANSWER_DOMAIN = b"tocsin-probes-answer-v1"
ASK_DOMAIN = b"tocsin-ask-v1"
ASK_ANSWER_DOMAIN = b"tocsin-ask-answer-v1"
KEY_DOMAIN = b"tocsin-key-v1"
KEY_ANSWER_DOMAIN = b"tocsin-key-answer-v1"
NEW_KEY_DOMAIN = b"tocsin-new-key-v1"

ORIGIN_BYTES = 16

CLONED = "cloned"
"""The type of a problem: two hosts run with one key."""

DEFAULT_INTERVAL_S = 10
SESSION_SECONDS = 3600
MISSED_PUSHES_UNTIL_SILENT = 3
SPOOL_HOURS = 72
"""How long a spool may be old; the server remembers received frames for longer than that."""

MAX_BODY_BYTES = 1 << 20
MAX_INFLATED_BYTES = 16 << 20
MAX_FRAMES_PER_PUSH = 512
MAX_TIMES_PER_FRAME = 64
MAX_SERIES_PER_SCHEMA = 5000
MAX_LABELS_PER_SERIES = 30
MAX_NAME_BYTES = 200
MAX_LABEL_VALUE_BYTES = 1024
MAX_QUESTION_CHARACTERS = 4000

MAX_DEVICES_PER_AGENT = 2000
MAX_PROBES_PER_DEVICE = 16
SHORTEST_PROBE_S, LONGEST_PROBE_S = 5, 600
"""How often a device is probed."""
PROBE_TIMEOUT_S, LONGEST_PROBE_TIMEOUT_S = 5, 30
"""How long one probe may take: where nothing is said, and at most."""
SEALED_PREFIX = "sealed:"
MAX_SEALED_CHARACTERS = 32 << 10
"""A private key of 16,384 bits is shorter than that."""

STALE_BITS = 0x7FF0000000000002
"""Prometheus's staleness marker: this one bit pattern among the NaNs means that the series has left."""
STALE_BYTES = struct.pack("<Q", STALE_BITS)
STALE_NAN = struct.unpack("<d", STALE_BYTES)[0]

_TOKEN_PREFIX = "toc_enr_"  # noqa: S105 - a prefix that secret scanners can look for, not a secret


class Invitation(NamedTuple):
    """What an enrolment token carries, so that an agent pins its server from the first byte.

    A named tuple: the machinery behind dataclasses costs every agent a megabyte.

    `fingerprint` is the SHA-256 of the server's TLS certificate (DER) in hex, empty for plain HTTP to
    loopback; `server_key` is the server's Ed25519 public key in hex; `secret` is what the server checks.
    """

    url: str
    fingerprint: str
    server_key: str
    secret: str


def encode_invitation(invitation: Invitation) -> str:
    """The invitation as one word that survives mail and shells, with a CRC-32 against typing errors."""
    packed = "\n".join(invitation).encode()
    packed += struct.pack(">I", zlib.crc32(packed))
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_invitation(token: str) -> Invitation:
    """The reverse; raises `ValueError` with what is wrong with the token."""
    word = token.strip()
    if not word.startswith(_TOKEN_PREFIX):
        raise ValueError(f"an enrolment token begins with {_TOKEN_PREFIX!r}")
    word = word[len(_TOKEN_PREFIX) :]
    try:
        packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        body, crc = packed[:-4], struct.unpack(">I", packed[-4:])[0]
    except (binascii.Error, struct.error) as error:
        raise ValueError("the enrolment token is not complete: copy it again") from error
    if zlib.crc32(body) != crc:
        raise ValueError("the enrolment token is damaged: copy it again")
    url, fingerprint, server_key, secret = body.decode().split("\n")
    return Invitation(url=url, fingerprint=fingerprint, server_key=server_key, secret=secret)


def schema_id(schema: bytes) -> int:
    """The id of a schema, from its packed bytes."""
    return int.from_bytes(hashlib.sha256(schema).digest()[:8], "big")


def origin_digest(agent: str, word: bytes) -> bytes:
    """What tells a machine or a boot from another, to this server and of this agent only."""
    return hashlib.blake2b(agent.encode() + b"\n" + word.strip(), digest_size=ORIGIN_BYTES).digest()


def answer_to(domain: bytes, request: bytes, answer: bytes) -> bytes:
    """The bytes that the server signs under an answer."""
    return domain + hashlib.sha256(request).digest() + answer


def session_key(shared: bytes, *, agent_ephemeral: bytes, server_ephemeral: bytes, nonce: bytes) -> bytes:
    """The 32-byte key of a session, from the X25519 secret and what both sides have said."""
    said = SESSION_DOMAIN + agent_ephemeral + server_ephemeral + nonce
    return hashlib.blake2b(said, key=shared, digest_size=32).digest()


def new_key_message(session: bytes, public_key: bytes) -> bytes:
    """The bytes that an agent's old key and its new one sign; good in this session only."""
    return NEW_KEY_DOMAIN + session + public_key


def session_message(domain: bytes, session: bytes, body: bytes) -> bytes:
    """The bytes under the HMAC-SHA256 of a request of a session."""
    return domain + session + body


def answer_message(domain: bytes, session: bytes, request: bytes, answer: bytes) -> bytes:
    """The bytes under the HMAC-SHA256 of such a request's answer; that of a push has none."""
    return domain + session + hashlib.sha256(request).digest() + answer
