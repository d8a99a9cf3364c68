"""Servers of others as child processes: snmpd, sshd, nginx, each on a loopback port and in a folder of its own.

Each can be stopped and started again, as a device that loses its power; leaving the context ends it.
"""

import os
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.ports import free_port
from tests.processes import until

SBIN = "/usr/sbin"
"""Where Debian has them, which is not on everybody's PATH."""


def find(program: str) -> str:
    """What to ask `require` for: a server's program by its path where it is not on PATH."""
    path = Path(SBIN) / program
    return str(path) if path.exists() else program


class ServerOfOthers:
    """One server in the foreground; subclasses say how it is started and when it is there."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        until(f"{self.program} answers", self._is_there)
        return self

    def stop(self) -> None:
        """At once, as by a power cut."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it can be reached."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _is_there(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.program} has ended:\n{(self.folder / 'log').read_text()[-2000:]}")
        return self.answers()


class Snmpd(ServerOfOthers):
    """Net-SNMP's agent, of this machine's own interfaces; v2c with `community`, v3 with the user's two keys."""

    USER, AUTH_KEY, PRIV_KEY = "bell", "authentication-key", "encryption-key-of-bell"

    def __init__(self, program: str, folder: Path, *, community: str = "public") -> None:
        super().__init__(program, folder)
        self.community = community

    def command(self) -> list[str]:
        persistent = self.folder / "persistent"
        persistent.mkdir(exist_ok=True)
        (self.folder / "snmpd.conf").write_text(
            f"rocommunity {self.community} 127.0.0.1\n"
            f"createUser {self.USER} SHA {self.AUTH_KEY} AES {self.PRIV_KEY}\n"
            f"rouser {self.USER} authpriv\n"
            "sysName switch-1\n"
            f"[snmp] persistentDir {persistent}\n"
        )
        at = f"udp:127.0.0.1:{self.port}"
        return [self.program, "-f", "-Lo", "-C", "-c", "snmpd.conf", "-I", "-smux", "-p", "pid", at]

    def answers(self) -> bool:
        """A GET of sysUpTime by hand: UDP says nothing of itself."""
        words = bytes.fromhex("a01c020401020304020100020100300e300c06082b060102010103000500")
        community = self.community.encode()
        body = b"\x02\x01\x01\x04" + bytes([len(community)]) + community + words
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.5)
            asking.connect(("127.0.0.1", self.port))
            try:
                asking.send(b"\x30" + bytes([len(body)]) + body)
                return bool(asking.recv(2000))
            except OSError:
                return False


class Sshd(ServerOfOthers):
    """OpenSSH's server for the user who runs the tests, who gets in with the private key `user_key`."""

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(program, folder)
        self.new_host_key()
        self._keygen("user")
        self.user_key = (folder / "user").read_text()

    @property
    def host_key(self) -> str:
        """The type and key that a probe pins."""
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        return f"{kind} {key}"

    def new_host_key(self) -> None:
        """Another key, as of another machine in its place; with the next start."""
        for name in ("host", "host.pub"):
            (self.folder / name).unlink(missing_ok=True)
        self._keygen("host")

    def command(self) -> list[str]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.folder / 'host'}\n"
            f"AuthorizedKeysFile {self.folder / 'user.pub'}\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\n"
        )
        return [self.program, "-D", "-e", "-f", str(self.folder / "sshd_config")]

    def _keygen(self, name: str) -> None:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Nginx(ServerOfOthers):
    """nginx that serves one page by TLS, with the certificate and key (PEM) that it is given."""

    def __init__(
        self, program: str, folder: Path, *, certificate: bytes, key: bytes, page: str = "open"
    ) -> None:
        super().__init__(program, folder)
        self.show(certificate, key)
        (folder / "index.html").write_text(page)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"

    def show(self, certificate: bytes, key: bytes) -> None:
        """Another certificate; with the next start."""
        (self.folder / "cert.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)

    def command(self) -> list[str]:
        folder = self.folder
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
            "events {}\n"
            f"http {{ access_log off; {temporary}\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl; root {folder};\n"
            f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }} }}\n"
        )
        return [self.program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
