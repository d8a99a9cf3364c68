"""The key by which an SSH host is known: declared as in known_hosts, compared to the byte."""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import NamedTuple

_MOST_CHARACTERS = 8 << 10
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


class HostKey(NamedTuple):
    """A type and the public key of RFC 4253, which begins with the type again."""

    kind: str
    public: bytes

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What a host that has this key signs with, the best first."""
        return _ALGORITHMS.get(self.kind, ())

    @property
    def fingerprint(self) -> str:
        """As OpenSSH writes it."""
        return "SHA256:" + b64encode(hashlib.sha256(self.public).digest()).decode().rstrip("=")

    def is_same(self, other: "HostKey") -> bool:
        """Equal in type and in every byte."""
        return self.kind == other.kind and hmac.compare_digest(self.public, other.public)

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


def parse_host_key(text: str) -> HostKey | None:
    """`TYPE BASE64 [comment]`, as in a `.pub` file; None for anything else."""
    words = text.split(None, 2)
    if len(text) > _MOST_CHARACTERS or len(words) < 2 or words[0] not in _ALGORITHMS:
        return None
    try:
        public = b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = words[0].encode("ascii")
    begin = len(kind).to_bytes(4, "big") + kind
    return HostKey(words[0], public) if public.startswith(begin) and len(public) > len(begin) else None
