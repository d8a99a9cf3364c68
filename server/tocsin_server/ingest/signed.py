"""Signatures of the two conversations that come before a session: enrolment and hello."""

from typing import Protocol, TypeVar

import msgspec
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from tocsin_protocol import wire
from tocsin_server.errors import Refused, Unprocessable

T = TypeVar("T", bound=msgspec.Struct)


class Signer(Protocol):
    """The server's key."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        ...


class SignedAnswer(msgspec.Struct, frozen=True):
    """A body, and the signature that goes into its header."""

    body: bytes
    signature: str


def is_signed(body: bytes, *, domain: bytes, signature: str, public_key: bytes) -> bool:
    """Whether the holder of this key has signed the body for this purpose."""
    try:
        VerifyKey(public_key).verify(domain + body, bytes.fromhex(signature))
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def sign_answer(answer: object, *, domain: bytes, request: bytes, signer: Signer) -> SignedAnswer:
    """An answer that belongs to this request and no other."""
    body = msgspec.msgpack.encode(answer)
    return SignedAnswer(body, signer.sign(wire.answer_to(domain, request, body)).hex())


def decode_said(body: bytes, said: type[T]) -> T:
    """What an agent says, strictly; another version of the contract is told apart from nonsense."""
    try:
        return msgspec.msgpack.decode(body, type=said)
    except msgspec.ValidationError as error:
        raise Unprocessable(f"this makes no sense to version {wire.VERSION}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the body is no msgpack ({error})") from error
