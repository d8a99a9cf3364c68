"""Who is simulated, and the identities that they have: the roster is given, the identities are kept.

    STATE/agents.jsonl   a line for each host that has enrolled, with its private key; for its owner only
    STATE/begun          a line for each start of the fleet, in milliseconds

Lines are only ever added, so a fleet that is killed while it enrols loses one host at most.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nacl.signing import SigningKey, VerifyKey

from tocsin_fleet.agent import Agent
from tocsin_fleet.errors import FleetError
from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import Invitation, decode_invitation

ANEW = "tocsin-server enrol-token create"


class Place(NamedTuple):
    """A host of the roster; `invitation` is empty where it has enrolled before."""

    client: str
    site: str
    name: str
    kind: HostKind
    invitation: str

    @property
    def key(self) -> str:
        """What names it for ever: names are one client's."""
        return f"{self.client}/{self.name}"


class Kept(NamedTuple):
    """An identity that has been kept."""

    agent: Agent
    url: str
    fingerprint: str


def read_roster(path: str) -> list[Place]:
    """The hosts in a file that `tocsin-server prepare --demo` has printed."""
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        return [Place(**{**host, "kind": HostKind(host["kind"])}) for host in said["hosts"]]
    except OSError as error:
        raise FleetError(f"the roster {path} cannot be read ({error.strerror}): check the path") from error
    except (ValueError, TypeError, KeyError) as error:
        raise FleetError(
            f"{path} is no roster ({error}): it is what `tocsin-server prepare --demo` prints"
        ) from error


def invited(invitations: Sequence[str], count: int) -> list[Place]:
    """So many servers with an invitation each."""
    if count > len(invitations):
        raise FleetError(
            f"{count} hosts need {count} invitations, here are {len(invitations)}, and each is good for one:"
            f" make more with `{ANEW}`, or take a --roster"
        )
    return [
        Place("", "", f"sim-{number:04}", HostKind.SERVER, invitation)
        for number, invitation in enumerate(invitations[:count], start=1)
    ]


def understood(invitation: str) -> Invitation:
    """What an invitation says; raises `FleetError`."""
    try:
        return decode_invitation(invitation)
    except ValueError as error:
        raise FleetError(f"{error}; `{ANEW}` makes a new one") from error


class Identities:
    """The folder where identities are kept; without one they last as long as the process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        if folder:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError as error:
                raise FleetError(
                    f"the folder {folder} cannot be made ({error.strerror}): choose another with --state"
                ) from error

    def read(self) -> Mapping[str, Kept]:
        """The identities by the key of their place."""
        kept = {}
        for line in self._lines("agents.jsonl"):
            try:
                said = json.loads(line)
                kept[said["key"]] = _kept(said)
            except (ValueError, KeyError) as error:
                # Cut off by a crash, as only the last can be.
                del error
        return kept

    def add(self, place: Place, agent: Agent, invitation: Invitation) -> None:
        """Keep one that has just enrolled."""
        said = {
            "key": place.key,
            "name": agent.name,
            "agent": agent.agent,
            "seed": bytes(agent.key).hex(),
            "server_key": invitation.server_key,
            "url": invitation.url,
            "fingerprint": invitation.fingerprint,
        }
        self._append("agents.jsonl", json.dumps(said))

    def begin(self, now_ms: int) -> list[int]:
        """The starts of this fleet until now, in milliseconds, this one the last."""
        begun = [int(line) for line in self._lines("begun") if line.isdecimal()]
        self._append("begun", str(now_ms))
        return [*(each for each in begun if each < now_ms), now_ms]

    def _lines(self, name: str) -> list[str]:
        if not self._folder:
            return []
        try:
            with open(f"{self._folder}/{name}", encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def _append(self, name: str, line: str) -> None:
        if not self._folder:
            return
        path = f"{self._folder}/{name}"
        # A line feed first, lest it be joined to one that a crash has cut off.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.write(f"\n{line}\n")


def _kept(said: Mapping[str, str]) -> Kept:
    agent = Agent(
        said["name"],
        key=SigningKey(bytes.fromhex(said["seed"])),
        agent=said["agent"],
        server_key=VerifyKey(bytes.fromhex(said["server_key"])),
    )
    return Kept(agent, said["url"], said["fingerprint"])
