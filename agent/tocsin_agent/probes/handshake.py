"""TLS on a connection: whether the certificate is good, and when it ends, good or not.

The standard library shows no certificate that it has refused. So one that is refused is looked at a second
time, on a connection that trusts anybody and sends nothing: an expired certificate still says when it expired.
"""

import contextlib
import os
import socket
import ssl
import sys
from functools import lru_cache

from tocsin_agent.probes.certificate import NotDer, earliest_end
from tocsin_agent.probes.dial import Deadline, Endpoint, connect
from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.secured import ENDS, SecuredLine
from tocsin_agent.readings import Sample, gauge, labelled

MOST_CA_CHARACTERS = 256 << 10


class Handshake:
    """How one host is greeted: the name it must prove, by whose word, and what is spoken then."""

    def __init__(
        self,
        server_name: str,
        *,
        ca: str | None = None,
        is_verified: bool = True,
        protocols: tuple[str, ...] = (),
    ) -> None:
        self._server_name = server_name.encode("ascii")
        self._protocols = protocols
        self._is_verified = is_verified
        self._own_context = _context(ca, protocols) if ca is not None else None

    def secure(self, raw: socket.socket, endpoint: Endpoint, deadline: Deadline) -> SecuredLine:
        """The connection, now secured; raises `Failed`, and then the connection is closed."""
        context = self._context() if self._is_verified else _blind_context(self._protocols)
        try:
            return self._shake(context, raw, endpoint, deadline)
        except ssl.SSLCertVerificationError as error:
            raise Failed(
                "certificate",
                f"{endpoint} shows a certificate that is not accepted: {error.verify_message}",
                self._second_look(endpoint, deadline),
            ) from error

    def _context(self) -> ssl.SSLContext:
        return self._own_context or _system_context(self._protocols, _roots_changed_ns())

    def _shake(
        self, context: ssl.SSLContext, raw: socket.socket, endpoint: Endpoint, deadline: Deadline
    ) -> SecuredLine:
        act = f"the TLS handshake with {endpoint}"
        line = SecuredLine(raw, context, self._server_name, str(endpoint))
        try:
            line.settimeout(deadline.within(act))
            line.shake()
        except ssl.SSLCertVerificationError:
            line.close()
            raise
        except OSError as error:
            line.close()
            raise broken(error, act, deadline) from error
        except BaseException:  # whatever it was goes on up; the line is not left open
            line.close()
            raise
        return line

    def _second_look(self, endpoint: Endpoint, deadline: Deadline) -> list[Sample]:
        with contextlib.suppress(Failed):
            raw = connect(endpoint, deadline)
            with contextlib.closing(
                self._shake(_blind_context(self._protocols), raw, endpoint, deadline)
            ) as line:
                return shown(line)
        return []


def shown(line: SecuredLine) -> list[Sample]:
    """What the handshake has shown: blackbox_exporter's series of TLS."""
    version = (line.tls.version() or "").replace("TLSv", "TLS ")
    samples = [gauge("probe_tls_version_info", 1, labelled(version=version))]
    with contextlib.suppress(NotDer):
        samples.append(gauge("probe_ssl_earliest_cert_expiry", earliest_end(_chain(line.tls))))
    return samples


def broken(error: OSError, act: str, deadline: Deadline) -> Failed:
    """What an error on a connection means for who watches."""
    if isinstance(error, TimeoutError):
        return deadline.over(act)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ENDS):
        reason = error.reason or "no TLS"
        return Failed("refused" if "ALERT" in reason else "malformed", f"{act}: {reason.lower()}")
    return Failed("refused", f"{act}: the connection was closed")


def _chain(secured: ssl.SSLObject) -> list[bytes]:
    """The certificates that were shown; before Python 3.13 there is a way to the first of them only."""
    if sys.version_info >= (3, 13):
        return list(secured.get_unverified_chain())
    leaf = secured.getpeercert(binary_form=True)
    return [leaf] if leaf else []


@lru_cache(maxsize=8)
def _system_context(protocols: tuple[str, ...], changed_ns: int) -> ssl.SSLContext:  # noqa: ARG001 - a part of the key
    """One for all probes: the system's roots are half a megabyte, and are read anew when they have changed."""
    return _context(None, protocols)


def _roots_changed_ns() -> int:
    try:
        return os.stat(ssl.get_default_verify_paths().cafile or "").st_mtime_ns
    except OSError:
        # A folder of roots is read by OpenSSL as it is needed; there is nothing that could be out of date.
        return 0


@lru_cache(maxsize=8)
def _blind_context(protocols: tuple[str, ...]) -> ssl.SSLContext:
    """Trusts anybody: for a second look, and for who has said `tls_verify: false`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _speak(context, protocols)
    return context


def _context(ca: str | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise Misdeclared("'ca' must be certificates in PEM form (-----BEGIN CERTIFICATE-----)") from error
    _speak(context, protocols)
    return context


def _speak(context: ssl.SSLContext, protocols: tuple[str, ...]) -> None:
    if protocols:
        context.set_alpn_protocols(list(protocols))
