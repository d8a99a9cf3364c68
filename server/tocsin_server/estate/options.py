"""What may be said of a probe: for each kind its options, each with what reads its value.

The agent reads the same keys (`tocsin_agent/probes/`) and checks them again. What is wrong is told by name and
remedy; the value of a secret is never repeated, for somebody may have written it in clear.
"""

import binascii
import ipaddress
import math
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import yaml
from cryptography import x509

from tocsin_protocol.wire import LONGEST_PROBE_TIMEOUT_S, MAX_SEALED_CHARACTERS, SEALED_PREFIX
from tocsin_server.yaml_nodes import BadYaml, Fields, line_of, scalar

Value = str | int | float | bool | tuple[int, ...]
Reader = Callable[[yaml.Node, str], Value]
"""Takes the node and the option's name; raises `BadYaml`."""

MOST_TEXT = 255
MOST_COMMAND = 1000
MOST_URL = 2000
MOST_CA = 64 << 10
_BOX_BYTES = 48
"""What a sealed box adds to its content, so no box is shorter."""

_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KEY_TYPE = re.compile(
    r"ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind of probe."""

    read: Reader
    is_needed: bool = False


def one_line(node: yaml.Node, name: str) -> str:
    """A text that can be shown."""
    return _text(node, name, most=MOST_TEXT)


def host(node: yaml.Node, name: str) -> str:
    """An address, or a name of DNS in its ASCII form."""
    text = scalar(node, f"{name!r}")
    if not _is_address(text) and not _HOST_NAME.fullmatch(text):
        raise BadYaml(line_of(node), f"{name!r} has to be an IP address or a host's name, not {text[:80]!r}")
    return text


def whole(least: int, most: int) -> Reader:
    """A whole number within these bounds."""

    def read(node: yaml.Node, name: str) -> int:
        return _whole(node, name, least, most)

    return read


def wholes(least: int, most: int) -> Reader:
    """Whole numbers: a list of them, or one alone."""

    def read(node: yaml.Node, name: str) -> tuple[int, ...]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not 0 < len(nodes) <= 50:
            raise BadYaml(line_of(node), f"{name!r} has to be a list of 1 to 50 whole numbers")
        return tuple(_whole(one, name, least, most) for one in nodes)

    return read


def seconds(node: yaml.Node, name: str) -> float:
    """A number of seconds that a probe may take."""
    text = scalar(node, f"{name!r}")
    if not _DECIMAL.fullmatch(text) or not 0 < float(text) <= LONGEST_PROBE_TIMEOUT_S:
        raise BadYaml(
            line_of(node),
            f"{name!r} has to be a number of seconds up to {LONGEST_PROBE_TIMEOUT_S}, not {text[:40]!r}",
        )
    number = float(text)
    return int(number) if number == math.floor(number) else number


def flag(node: yaml.Node, name: str) -> bool:
    """True or false."""
    text = scalar(node, f"{name!r}")
    if text.lower() not in _FLAGS:
        raise BadYaml(line_of(node), f"{name!r} has to be true or false, not {text[:40]!r}")
    return _FLAGS[text.lower()]


def one_of(*words: str) -> Reader:
    """One of these words."""

    def read(node: yaml.Node, name: str) -> str:
        text = scalar(node, f"{name!r}")
        if text not in words:
            raise BadYaml(line_of(node), f"{name!r} has to be one of {', '.join(words)}, not {text[:40]!r}")
        return text

    return read


def sealed(node: yaml.Node, name: str) -> str:
    """A secret that only the agent can open which probes the device."""
    text = scalar(node, f"{name!r}")
    if not text.startswith(SEALED_PREFIX):
        raise BadYaml(
            line_of(node),
            f"{name!r} is a secret and stands here in clear: seal it: tocsin-server seal --client … --host …",
        )
    if len(text) > MAX_SEALED_CHARACTERS or not _is_box(text[len(SEALED_PREFIX) :]):
        raise BadYaml(
            line_of(node),
            f"{name!r} is not a whole sealed secret: copy it again as tocsin-server seal printed it",
        )
    return text


def web_address(node: yaml.Node, name: str) -> str:
    """The address of a page, without anybody's credentials."""
    text = scalar(node, f"{name!r}")
    parts = _parts(text)
    if parts is not None and "@" in parts.netloc:
        raise BadYaml(
            line_of(node), f"{name!r} carries a user or a password, which no probe sends: leave them out"
        )
    if parts is None or parts.fragment or len(text) > MOST_URL or not text.isascii() or not text.isprintable():
        raise BadYaml(
            line_of(node), f"{name!r} has to be an address such as https://shop.example.org/, in ASCII"
        )
    return text


def passage(node: yaml.Node, name: str) -> str:
    """A text that has to stand in a page, so any but an empty one."""
    text = scalar(node, f"{name!r}")
    if not 0 < len(text) <= MOST_COMMAND:
        raise BadYaml(line_of(node), f"{name!r} has to be a text of 1 to {MOST_COMMAND} characters")
    return text


def command(node: yaml.Node, name: str) -> str:
    """What is run over SSH."""
    return _text(node, name, most=MOST_COMMAND)


def authority(node: yaml.Node, name: str) -> str:
    """Certificates in PEM that are trusted for this probe."""
    text = scalar(node, f"{name!r}")
    try:
        is_some = len(text) <= MOST_CA and bool(x509.load_pem_x509_certificates(text.encode()))
    except (ValueError, x509.InvalidVersion):
        is_some = False
    if not is_some:
        raise BadYaml(line_of(node), f"{name!r} has to be certificates in PEM, at most {MOST_CA >> 10} KiB")
    return text


def host_key(node: yaml.Node, name: str) -> str:
    """The public key that an SSH server must show: its type and its bytes; a comment is left out."""
    words = scalar(node, f"{name!r}").split()
    if len(words) < 2 or not _KEY_TYPE.fullmatch(words[0]) or not _is_key(words[0], words[1]):
        raise BadYaml(
            line_of(node),
            f"{name!r} has to be a public key such as 'ssh-ed25519 AAAA…':"
            " ssh-keyscan ADDRESS shows it behind the name; compare it with the server's own",
        )
    return f"{words[0]} {words[1]}"


_WHERE = {"address": Option(host, is_needed=True), "timeout_s": Option(seconds)}
_PORT = Option(whole(1, 65535))

OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "snmp": {
        **_WHERE,
        "port": _PORT,
        "version": Option(one_of("2c", "3")),
        "community": Option(sealed),
        "user": Option(one_line),
        "auth": Option(one_of("sha1", "md5", "sha256", "sha512")),
        "auth_key": Option(sealed),
        "priv": Option(one_of("aes128", "des")),
        "priv_key": Option(sealed),
        "max_interfaces": Option(whole(1, 2000)),
    },
    "icmp": {**_WHERE, "count": Option(whole(1, 20))},
    "http": {
        "url": Option(web_address, is_needed=True),
        "method": Option(one_of("GET", "HEAD")),
        "expect_status": Option(wholes(100, 599)),
        "contains": Option(passage),
        "tls_verify": Option(flag),
        "ca": Option(authority),
        "timeout_s": Option(seconds),
    },
    "tls": {**_WHERE, "port": _PORT, "server_name": Option(host), "ca": Option(authority)},
    "ssh": {
        **_WHERE,
        "port": _PORT,
        "user": Option(one_line, is_needed=True),
        "password": Option(sealed),
        "private_key": Option(sealed),
        "host_key": Option(host_key, is_needed=True),
        "command": Option(command, is_needed=True),
    },
}
"""Every kind of probe and every option of it, but `name`, which all have."""


def read_options(kind: str, fields: Fields) -> dict[str, Value]:
    """The options that are given, less `name`; raises `BadYaml` for the first that is wrong."""
    options = {}
    for name, option in OPTIONS[kind].items():
        node = fields.node(name)
        if node is not None:
            options[name] = option.read(node, name)
        elif option.is_needed:
            raise BadYaml(fields.line, f"{name!r} is missing: a probe {kind} needs it")
    reason = _CHECKS.get(kind, _nothing_wrong)(options)
    if reason:
        raise BadYaml(fields.line, reason)
    return options


def _snmp_wrong(options: Mapping[str, Value]) -> str:
    """Community for version 2c, user for version 3; a key and its algorithm come together."""
    is_3 = options.get("version") == "3"
    foreign = {"community"} if is_3 else {"user", "auth", "auth_key", "priv", "priv_key"}
    for name in sorted(foreign & options.keys()):
        return f"{name!r} means nothing with version {'3' if is_3 else '2c'}: leave it out, or change 'version'"
    needed = [("user", is_3), ("community", not is_3)]
    for one, other in (("auth", "auth_key"), ("priv", "priv_key")):
        needed += [(one, other in options), (other, one in options)]
    needed.append(("auth", "priv" in options))
    missing = next((name for name, is_needed in needed if is_needed and name not in options), "")
    return f"{missing!r} is missing: SNMP {'3' if is_3 else '2c'} needs it here" if missing else ""


def _http_wrong(options: Mapping[str, Value]) -> str:
    if options.get("method") == "HEAD" and "contains" in options:
        return "'contains' needs a page, and method HEAD asks for none: leave one of them out"
    return ""


def _ssh_wrong(options: Mapping[str, Value]) -> str:
    given = {"password", "private_key"} & options.keys()
    return "" if len(given) == 1 else "one of 'password' and 'private_key' is needed, and not both"


def _nothing_wrong(_options: Mapping[str, Value]) -> str:
    return ""


_CHECKS = {"snmp": _snmp_wrong, "http": _http_wrong, "ssh": _ssh_wrong}
"""What has to fit together; each says what is wrong, or nothing."""


def _text(node: yaml.Node, name: str, *, most: int) -> str:
    text = scalar(node, f"{name!r}")
    if not 0 < len(text) <= most or not text.isprintable():
        raise BadYaml(line_of(node), f"{name!r} has to be one line of 1 to {most} printable characters")
    return text


def _whole(node: yaml.Node, name: str, least: int, most: int) -> int:
    text = scalar(node, f"{name!r}")
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise BadYaml(
            line_of(node), f"{name!r} has to be a whole number from {least} to {most}, not {text[:40]!r}"
        )
    return int(text)


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _is_box(word: str) -> bool:
    try:
        box = urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except (binascii.Error, ValueError):
        return False
    return len(box) >= _BOX_BYTES and re.fullmatch(r"[A-Za-z0-9_-]+", word) is not None


def _is_key(kind: str, word: str) -> bool:
    """Whether the bytes are a key of this type: they begin with its length and its name (RFC 4253, 6.6)."""
    try:
        key = b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return False
    begin = len(kind).to_bytes(4, "big") + kind.encode()
    return key.startswith(begin) and len(key) > len(begin)


def _parts(text: str) -> SplitResult | None:
    """The parts of a web address; None for any other text."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_one and "\\" not in text and " " not in text else None
