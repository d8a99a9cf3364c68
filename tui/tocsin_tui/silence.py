"""A silence as a technician asks for it: which alerts, for how long. Pure."""

import json
import re
from datetime import timedelta

from tocsin_protocol.api import Alert

USUAL = "1h"
"""How long, where nothing else is said."""

_FIRST = ("alertname", "instance")
_NO_IDENTITY = frozenset({"severity", "client"})
"""What an alert is of, not what it is: the client is said apart, and the severity may change."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LENGTH = re.compile(r"(?:(\d{1,4})d)?\s*(?:(\d{1,4})h)?\s*(?:(\d{1,5})m)?", re.ASCII)


def matchers_of(alert: Alert, *, comma: str = ",") -> str:
    """What matches this alert and those like it, as Alertmanager writes it: `{alertname="DiskFull"}`."""
    labels = {"alertname": alert.alertname} | alert.labels
    names = [name for name in labels if labels[name] and name not in _NO_IDENTITY]
    names.sort(key=lambda name: (name not in _FIRST, name))
    return "{" + comma.join(f"{_name(name)}={_quoted(labels[name])}" for name in names) + "}"


def length_of(text: str) -> timedelta:
    """How long `30m`, `4h`, `2d` or `1d 12h` is; raises `ValueError` for anything else, no time among it."""
    found = _LENGTH.fullmatch(text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not length:
        raise ValueError(f"{text.strip() or 'nothing'} is no time such as 30m, 4h or 2d")
    return length


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
