"""A server that answers as it is told, over real sockets, and checks all that it is sent against `wire.py`.

It shares no code with the agent. `script` holds the statuses of the pushes to come; when it is empty,
everything is accepted. What was accepted is in `frames`, by `(epoch, seq)`, with how often it came.
"""

import hashlib
import hmac
import json
import os
import ssl
import threading
import zlib
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgpack
import trustme
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.signing import SigningKey, VerifyKey

from tocsin_protocol import wire

CUT = -1
"""In place of a status: take the push, then close the connection without an answer."""
GARBAGE = -2
"""In place of a status: answer with what is no HTTP."""


class Push(NamedTuple):
    now_ms: int
    schemas: list[bytes]
    frames: list[list[Any]]

    @property
    def seqs(self) -> list[int]:
        return [frame[1] for frame in self.frames]


class ScriptedServer:
    def __init__(self, *, tls: Path | None = None, interval_s: float = 10, port: int = 0) -> None:
        self.key = SigningKey.generate()
        self.interval_s = interval_s
        self.expires_s = 3600
        self.script: deque[int] = deque()
        self.hello_script: deque[int] = deque()
        self.enrol_script: deque[int] = deque()
        self.retry_after = ""
        self.probes: list[dict[str, Any]] = []
        """The devices that the agent is to probe; what it has asked for them is counted."""
        self.probes_asked = 0
        self.closes_after_each_answer = False
        self.refuses: Any = lambda push: 0
        self.ask_script: deque[int] = deque()
        self.questions: list[dict[str, Any]] = []
        self.pushes: list[Push] = []
        self.frames: Counter[tuple[int, int]] = Counter()
        self.schemas: set[int] = set()
        self.hellos: list[dict[str, Any]] = []
        self.enrolments: list[dict[str, Any]] = []
        self.requests = 0
        self.connections = 0
        self.bytes_seen = 0
        self.agent_key: VerifyKey | None = None
        self.sessions: dict[bytes, bytes] = {}
        self.told: dict[bytes, set[int]] = {}
        self.changed = threading.Condition()
        self.signs_with = self.key
        self.fingerprint = ""
        handler = type("Handler", (_Handler,), {"script": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self._http.socket = self._with_tls(tls)
        self.port = self._http.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.002,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def invitation(self, secret: str = "word", *, fingerprint: str | None = None) -> str:  # noqa: S107 - made up
        shown = self.fingerprint if fingerprint is None else fingerprint
        return wire.encode_invitation(
            wire.Invitation(self.url, shown, self.key.verify_key.encode().hex(), secret)
        )

    def until(self, said: str, question: Any, seconds: float = 10.0) -> None:
        with self.changed:
            assert self.changed.wait_for(question, seconds), f"waited {seconds:.0f} s in vain: {said}"

    def enrol(self, body: bytes, signature: str) -> tuple[int, bytes]:
        said = msgpack.unpackb(body)
        VerifyKey(said["key"]).verify(wire.ENROL_DOMAIN + body, bytes.fromhex(signature))
        self.enrolments.append(said)
        status = self.enrol_script.popleft() if self.enrol_script else 200
        if status != 200:
            return status, _problem(status, "this token was used already", "create a new one")
        self.agent_key = VerifyKey(said["key"])
        answer = {
            "agent": "agent-1",
            "host": said["name"],
            "client": "acme",
            "site": "berlin",
            "interval_s": self.interval_s,
        }
        return 200, msgpack.packb(answer)

    def hello(self, body: bytes, signature: str) -> tuple[int, bytes]:
        said = msgpack.unpackb(body)
        if self.agent_key is not None:
            self.agent_key.verify(wire.HELLO_DOMAIN + body, bytes.fromhex(signature))
        self.hellos.append(said)
        status = self.hello_script.popleft() if self.hello_script else 200
        if status != 200:
            return status, _problem(status, "no session for you", "ask")
        secret, session = os.urandom(32), os.urandom(16)
        ephemeral = crypto_scalarmult_base(secret)
        self.sessions[session] = wire.session_key(
            crypto_scalarmult(secret, said["ephemeral"]),
            agent_ephemeral=said["ephemeral"],
            server_ephemeral=ephemeral,
            nonce=said["nonce"],
        )
        self.told[session] = set()
        answer = {
            "session": session,
            "ephemeral": ephemeral,
            "expires_s": self.expires_s,
            "interval_s": self.interval_s,
            "now_ms": said["now_ms"],
        }
        return 200, msgpack.packb(answer)

    def push(self, body: bytes, session: bytes, mac: str) -> tuple[int, bytes]:
        if session not in self.sessions:
            return 401, _problem(401, "unknown session", "say hello")
        expected = hmac.new(
            self.sessions[session], wire.session_message(wire.PUSH_DOMAIN, session, body), hashlib.sha256
        )
        assert hmac.compare_digest(expected.hexdigest(), mac)
        push = Push(*self._decoded(body))
        self.pushes.append(push)
        status = self.refuses(push) or (self.script.popleft() if self.script else 200)
        if status not in {200, CUT}:
            return status, _problem(status, "not this", "try another")
        self.told[session] |= {wire.schema_id(schema) for schema in push.schemas}
        if not {frame[2] for frame in push.frames} <= self.told[session]:
            return 409, _problem(409, "unknown schema", "send it")
        for epoch, seq, _, times, matrix in push.frames:
            assert len(times) == 1
            assert len(matrix) % 8 == 0
            self.frames[epoch, seq] += 1
        answer = {"acked": len(push.frames), "interval_s": self.interval_s, "now_ms": push.now_ms}
        if self.probes:
            answer["probes"] = self.probes_digest
        return status, msgpack.packb(answer)

    @property
    def probes_digest(self) -> str:
        return hashlib.sha256(msgpack.packb(self.probes)).hexdigest()

    def told_probes(self, body: bytes, session: bytes, mac: str) -> tuple[int, bytes, str]:
        key = self.sessions[session]
        message = wire.session_message(wire.PROBES_DOMAIN, session, body)
        assert hmac.compare_digest(hmac.digest(key, message, "sha256").hex(), mac)
        assert msgpack.unpackb(body)["v"] == wire.VERSION
        self.probes_asked += 1
        answer = msgpack.packb({"digest": self.probes_digest, "devices": self.probes})
        signed = wire.answer_message(wire.PROBES_ANSWER_DOMAIN, session, body, answer)
        return 200, answer, hmac.digest(key, signed, "sha256").hex()

    def ask(self, body: bytes, session: bytes, mac: str) -> tuple[int, bytes, str]:
        """A ticket's number for each key; in place of a status `CUT` is an answer that gets lost."""
        if session not in self.sessions:
            return 401, _problem(401, "unknown session", "say hello"), ""
        key = self.sessions[session]
        message = wire.session_message(wire.ASK_DOMAIN, session, body)
        assert hmac.compare_digest(hmac.digest(key, message, "sha256").hex(), mac)
        self.questions.append(msgpack.unpackb(body))
        status = self.ask_script.popleft() if self.ask_script else 200
        if status not in {200, CUT}:
            return status, _problem(status, "not now", "call the desk"), ""
        keys = list(dict.fromkeys(question["key"] for question in self.questions))
        answer = msgpack.packb({"ticket": 101 + keys.index(self.questions[-1]["key"])})
        signed = wire.answer_message(wire.ASK_ANSWER_DOMAIN, session, body, answer)
        return status, answer, hmac.digest(key, signed, "sha256").hex()

    def frames_of(self, host: str) -> int:
        """How many frames of a device have been accepted."""
        ids = {
            wire.schema_id(schema)
            for push in self.pushes
            for schema in push.schemas
            if msgpack.unpackb(schema)[0] == host
        }
        return sum(frame[2] in ids for push in self.pushes for frame in push.frames)

    @staticmethod
    def _decoded(body: bytes) -> tuple[int, list[bytes], list[list[Any]]]:
        assert len(body) <= wire.MAX_BODY_BYTES
        version, now_ms, schemas, frames = msgpack.unpackb(zlib.decompress(body))
        assert version == wire.VERSION
        assert len(frames) <= wire.MAX_FRAMES_PER_PUSH
        assert all(isinstance(schema, bytes) for schema in schemas)
        return now_ms, schemas, frames

    def _with_tls(self, folder: Path) -> ssl.SSLSocket:
        certificate = trustme.CA().issue_cert("127.0.0.1")
        chain, key = folder / "server.pem", folder / "server.key"
        certificate.cert_chain_pems[0].write_to_path(chain)
        certificate.private_key_pem.write_to_path(key)
        der = ssl.PEM_cert_to_DER_cert(chain.read_text())
        self.fingerprint = hashlib.sha256(der).hexdigest()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        return context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)


class _Handler(BaseHTTPRequestHandler):
    script: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.script.connections += 1

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):
            self.close_connection = True

    def do_POST(self) -> None:
        server = self.script
        body = self.rfile.read(int(self.headers["content-length"]))
        server.bytes_seen += len(body)
        signature = self.headers.get(wire.SIGNATURE_HEADER, "")
        domain, keyed = b"", ""
        with server.changed:
            if self.path == wire.ENROL_PATH:
                (status, answer), domain = server.enrol(body, signature), wire.ENROL_ANSWER_DOMAIN
            elif self.path == wire.HELLO_PATH:
                (status, answer), domain = server.hello(body, signature), wire.HELLO_ANSWER_DOMAIN
            else:
                session = bytes.fromhex(self.headers[wire.SESSION_HEADER])
                mac = self.headers[wire.MAC_HEADER]
                if self.path == wire.PROBES_PATH:
                    status, answer, keyed = server.told_probes(body, session, mac)
                elif self.path == wire.ASK_PATH:
                    status, answer, keyed = server.ask(body, session, mac)
                else:
                    status, answer = server.push(body, session, mac)
        signed = domain and server.signs_with.sign(wire.answer_to(domain, body, answer))
        self._answer(status, answer, signed, keyed)
        with server.changed:
            server.requests += 1
            server.changed.notify_all()

    def _answer(self, status: int, answer: bytes, signed: Any, keyed: str) -> None:
        if status in {CUT, GARBAGE}:
            self.close_connection = True
            if status == GARBAGE:
                self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n\r\n")
            return
        self.send_response(status)
        if self.script.closes_after_each_answer:
            self.send_header("connection", "close")
        if signed:
            self.send_header(wire.SIGNATURE_HEADER, signed.signature.hex())
        if keyed:
            self.send_header(wire.MAC_HEADER, keyed)
        if status >= 400 and self.script.retry_after:
            self.send_header("retry-after", self.script.retry_after)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _problem(status: int, detail: str, remedy: str) -> bytes:
    return json.dumps(
        {"type": "x", "title": "no", "status": status, "detail": detail, "remedy": remedy}
    ).encode()
