"""Debian's Alertmanager on a loopback port, and what it makes of rules, silences, alerts and texts."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.processes import until
from tests.real.servers import ServerOfOthers

from tocsin_server.series.matchers import Matcher, MatchKind

SHARE = Path("usr/share/prometheus/alertmanager")
"""Below the root, where Debian's build looks for its templates wherever it is itself."""

_NOBODY = {
    "global": {"resolve_timeout": "1d"},
    "route": {"receiver": "nobody"},
    "receivers": [{"name": "nobody"}],
}
_BELL = {"source_matchers": ["bell=rings"], "target_matchers": ["bell=hears"], "equal": ["round"]}
_NEGATIVE = (MatchKind.NOT_EQUAL, MatchKind.NOT_REGEX)
_REGULAR = (MatchKind.REGEX, MatchKind.NOT_REGEX)


class Alertmanager(ServerOfOthers):
    """One that tells nobody and has no peers."""

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(program, folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self._api = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        self._is_unpacked = not (Path("/") / SHARE).exists()
        self._rounds = 0
        self._configure(())
        if self._is_unpacked:
            _plant(Path(program), folder)

    def command(self) -> list[str]:
        """The program, with the folder as its root where it is only unpacked."""
        inside = Path("/") if self._is_unpacked else self.folder
        # Root can do it in most containers, where nobody may have a namespace; others need one.
        as_root = ["--map-root-user"] if os.geteuid() else []
        start = ["unshare", *as_root, f"--root={self.folder}", "/alertmanager"]
        return [
            *(start if self._is_unpacked else [self.program]),
            f"--config.file={inside / 'config.yml'}",
            f"--storage.path={inside / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def answers(self) -> bool:
        try:
            return self._api.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self._api.close()
        super().stop()

    def takes_rules(self, rules: Iterable[Mapping[str, object]]) -> bool:
        """Whether these inhibition rules are in force now; where they are refused, the old ones stay."""
        self._configure(rules)
        return self._api.post("/-/reload").is_success

    def source_matchers(self) -> list[Matcher]:
        """Those of the first rule in force, sorted."""
        told = yaml.safe_load(self._api.get("/api/v2/status").json()["config"]["original"])
        return [_spelled(text) for text in told["inhibit_rules"][0].get("source_matchers", ())]

    def add_alerts(self, alerts: Iterable[Mapping[str, str]]) -> None:
        """Fire them, and see to it that every one is known to the inhibition rules.

        Those learn of alerts one after the other: first it is made sure that they listen, then a bell behind
        the alerts says that all before it have been heard.
        """
        self._ring(())
        self._ring(alerts)

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """The active ones like that, each with its `labels` and `status`."""
        told: list[dict[str, Any]] = self._api.get("/api/v2/alerts", params={"filter": matchers}).json()
        return told

    def ask_silence(
        self, matchers: Iterable[Matcher], starts_ms: int, ends_ms: int, silence_id: str = ""
    ) -> str | None:
        """Its id, be it changed or new; None where that is refused."""
        asked = {
            "matchers": [_told(each) for each in matchers],
            "startsAt": _time(starts_ms),
            "endsAt": _time(ends_ms),
            "createdBy": "ann",
            "comment": "",
            **({"id": silence_id} if silence_id else {}),
        }
        answer = self._api.post("/api/v2/silences", json=asked)
        return answer.json()["silenceID"] if answer.is_success else None

    def expire_silence(self, silence_id: str) -> None:
        self._api.delete(f"/api/v2/silence/{silence_id}").raise_for_status()

    def silence(self, silence_id: str) -> dict[str, Any]:
        told: dict[str, Any] = self._api.get(f"/api/v2/silence/{silence_id}").json()
        return told

    def matchers_of(self, silence_id: str) -> list[Matcher]:
        """As they are stored, in their order."""
        return [_matcher(each) for each in self.silence(silence_id)["matchers"]]

    def _ring(self, alerts: Iterable[Mapping[str, str]]) -> None:
        self._rounds += 1
        here = {"round": str(self._rounds)}
        said = [*alerts, {**here, "bell": "rings"}, {**here, "bell": "hears"}]
        self._api.post("/api/v2/alerts", json=[{"labels": each} for each in said]).raise_for_status()
        until("the bell is heard", lambda: self._hears(f'round="{self._rounds}"'))

    def _hears(self, here: str) -> bool:
        return any(each["status"]["inhibitedBy"] for each in self.alerts(here, "bell=hears"))

    def _configure(self, rules: Iterable[Mapping[str, object]]) -> None:
        config = {**_NOBODY, "inhibit_rules": [*rules, _BELL]}
        (self.folder / "config.yml").write_text(yaml.safe_dump(config, allow_unicode=True))


class Amtool:
    """Its command line, asked to silence."""

    def __init__(self, program: str, url: str) -> None:
        self._command = [program, f"--alertmanager.url={url}", "silence", "add", "--author=ann", "--comment=c"]

    def silence_id(self, text: str) -> str | None:
        """Of a silence with this matcher behind another one; None where it is refused.

        Of a first one that is none, amtool would make the value of `alertname`.
        """
        asked = [*self._command, "--", "made=amtool", text]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip() if done.returncode == 0 else None


def _plant(program: Path, root: Path) -> None:
    """What the program needs of a machine: itself, its libraries and its templates."""
    shutil.copy(program, root / "alertmanager")
    shutil.copytree(program.parents[2] / SHARE, root / SHARE)
    words = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
    for library in (Path(word) for word in words if word.startswith("/")):
        copy = root / library.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copy)


def _told(matcher: Matcher) -> dict[str, str | bool]:
    return {
        "name": matcher.name,
        "value": matcher.value,
        "isEqual": matcher.kind not in _NEGATIVE,
        "isRegex": matcher.kind in _REGULAR,
    }


def _matcher(told: dict[str, Any]) -> Matcher:
    kinds = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
    return Matcher(told["name"], MatchKind(kinds[told["isEqual"], told["isRegex"]]), told["value"])


def _spelled(text: str) -> Matcher:
    """Of the text that it makes of one, with three escapes, which are JSON's too."""
    found = re.fullmatch(r"(\w+)(=~|!=|!~|=)(.*)", text, re.DOTALL)
    assert found, text
    return Matcher(found[1], MatchKind(found[2]), json.loads(found[3], strict=False))


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
