"""Looks at a TLS handshake and nothing after it: who answers, and how long the certificate is good."""

from collections.abc import Callable, Mapping
from contextlib import closing

from tocsin_agent.probes.declared import Declared
from tocsin_agent.probes.dial import RESOLVER, Deadline, Phases, connect, way
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.handshake import MOST_CA_CHARACTERS, Handshake, shown
from tocsin_agent.readings import Sample


class Tls:
    """One port that speaks TLS."""

    def __init__(self, options: Mapping[str, object], open_secret: Callable[[str], bytes]) -> None:  # noqa: ARG002 - made as every method
        declared = Declared("tls", options)
        self._host = declared.host()
        self._port = declared.whole("port", 443)
        server_name = self._host if options.get("server_name") is None else declared.host("server_name")
        ca = declared.text_or_none("ca", most=MOST_CA_CHARACTERS, is_one_line=False)
        self._handshake = Handshake(server_name, ca=ca)

    def probe(self, deadline_s: float) -> list[Sample]:
        """The certificate and the version of TLS; raises `Failed`."""
        deadline, phases = Deadline(deadline_s), Phases("resolve")
        with phases.timed("resolve"):
            endpoint = RESOLVER.endpoint(self._host, self._port, deadline)
        samples = way(endpoint, phases)
        try:
            raw = connect(endpoint, deadline)
            with closing(self._handshake.secure(raw, endpoint, deadline)) as line:
                return samples + shown(line)
        except Failed as failed:
            raise Failed(failed.reason, failed.words, [*samples, *failed.samples]) from failed
