"""Who the server is to its agents: an Ed25519 key that signs its answers, and a TLS certificate they pin.

Both are made at the first start and never change: each enrolment token carries the public key and the
certificate's fingerprint, so no authority has to vouch for them and no name has to be in the certificate.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nacl.signing import SigningKey

from tocsin_server.errors import Misconfigured
from tocsin_server.estate.secretfile import kept_secret

KEY_FILE = "identity.key"
TLS_FILE = "tls.pem"
"""The certificate and its key in one file, so that one cannot be there without the other."""

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""Before any clock that is merely wrong."""
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: no well-defined expiration."""


class ServerIdentity:
    """The server's keys. Shows nothing secret of itself."""

    def __init__(self, *, signing_key: SigningKey, tls_path: Path, fingerprint: str) -> None:
        self._signing_key = signing_key
        self.public_key_hex = signing_key.verify_key.encode().hex()
        self.fingerprint = fingerprint
        """SHA-256 of the certificate in DER, in hex."""
        self.cert_path = tls_path
        self.key_path = tls_path

    def __repr__(self) -> str:
        return f"ServerIdentity({self.public_key_hex[:16]}…)"

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of a message."""
        return self._signing_key.sign(message).signature

    def derived(self, purpose: bytes) -> bytes:
        """A key of 32 bytes for a purpose of at most 16; it tells nothing of the key or of another's."""
        return hashlib.blake2b(key=bytes(self._signing_key), person=purpose, digest_size=32).digest()


def open_identity(data: Path) -> ServerIdentity:
    """The keys in this data folder, made where they are missing."""
    seed = kept_secret(data / KEY_FILE, lambda: SigningKey.generate().encode().hex().encode() + b"\n")
    pem = kept_secret(data / TLS_FILE, _new_certificate)
    try:
        signing_key = SigningKey(bytes.fromhex(seed.decode("ascii").strip()))
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Misconfigured(
            f"the keys in {data} are damaged ({error})",
            remedy=f"restore {KEY_FILE} and {TLS_FILE} from a backup, or every agent has to enrol again",
        ) from error
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    return ServerIdentity(signing_key=signing_key, tls_path=data / TLS_FILE, fingerprint=fingerprint)


def _new_certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tocsin")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(_FOR_EVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + pem
