"""What an alert is known by: Prometheus's fingerprint of its labels, so that other tools name it alike."""

from collections.abc import Mapping

_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a 64 over `name 0xff value 0xff`, labels sorted by name; 16 lower-case hexadecimal digits."""
    digest = _OFFSET
    # 0xff never occurs in UTF-8, so no two sets of labels give the same bytes.
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (_utf8(name), _utf8(labels[name])):
            digest = ((digest ^ byte) * _PRIME) & _MASK
    return f"{digest:016x}"


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
