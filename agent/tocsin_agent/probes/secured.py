"""TLS on a connection, fed by hand, so that a deadline holds whatever comes.

Within one call on a socket OpenSSL passes over messages that mean nothing for as long as they come, and a peer
that never stops sending them holds the call for ever. So it is given what has come in bites, and between two
of them the clock is looked at; a handshake has an end in bytes as well.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from tocsin_agent.probes.failure import Failed

_BITE_BYTES = 16 << 10
# OpenSSL itself takes 100 KiB of certificates at most.
_MOST_HANDSHAKE_BYTES = 256 << 10
ENDS = ssl.SSLEOFError, ssl.SSLZeroReturnError
"""The other side has hung up, with a farewell or without: Debian 12's Python 3.11.2 tells them not apart."""
Done = TypeVar("Done")


class SecuredLine:
    """What a `socket` offers, as far as probes use it; made without a byte sent, `shake` is the first act."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, server_name: bytes, name: str) -> None:
        self._raw = raw
        self._name = name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As bytes: a text would go through the codec for international names.
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._timeout_s = 0.0
        self._received_bytes = 0

    def settimeout(self, seconds: float) -> None:
        """How long each further act may take, as a whole."""
        self._timeout_s = seconds

    def shake(self) -> None:
        """The handshake; raises `OSError`, of which `ssl.SSLError` is one, or `Failed`."""
        self._through(self._shake_on)

    def sendall(self, clear: bytes) -> None:
        """Sends all of it: OpenSSL takes any length into memory."""
        self._through(lambda: self.tls.write(clear))

    def recv(self, most_bytes: int) -> bytes:
        """Some of what comes; nothing at its end, also where the end is not announced."""
        try:
            return self._through(lambda: self.tls.read(most_bytes))
        except ENDS:
            return b""

    def close(self) -> None:
        """Hangs up without a farewell."""
        self._raw.close()

    def _shake_on(self) -> None:
        if self._received_bytes > _MOST_HANDSHAKE_BYTES:
            size = f"{_MOST_HANDSHAKE_BYTES >> 10} KiB"
            raise Failed("endless", f"the TLS handshake with {self._name} does not end within {size}")
        self.tls.do_handshake()

    def _through(self, act: Callable[[], Done]) -> Done:
        end_s = time.monotonic() + self._timeout_s
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush(end_s)
                self._feed(end_s)
            except ssl.SSLError:
                # What is left to say is why this side ends it.
                with contextlib.suppress(OSError):
                    self._flush(end_s)
                raise
            else:
                self._flush(end_s)
                return done

    def _flush(self, end_s: float) -> None:
        if self._outgoing.pending:
            self._raw.settimeout(_left_s(end_s))
            self._raw.sendall(self._outgoing.read())

    def _feed(self, end_s: float) -> None:
        self._raw.settimeout(_left_s(end_s))
        bite = self._raw.recv(_BITE_BYTES)
        self._received_bytes += len(bite)
        if bite:
            self._incoming.write(bite)
        else:
            self._incoming.write_eof()


def _left_s(end_s: float) -> float:
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
