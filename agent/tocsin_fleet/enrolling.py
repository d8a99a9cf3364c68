"""How a fleet enrols: a few hosts at a time, each with its own invitation; identities are kept at once."""

import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence

from tocsin_fleet.agent import Agent, Answer
from tocsin_fleet.counts import Counts
from tocsin_fleet.delivery import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, Course, course_of, retry_after_s
from tocsin_fleet.errors import Unreachable
from tocsin_fleet.line import Lines
from tocsin_fleet.roster import Identities, Kept, Place, understood
from tocsin_fleet.rounds import Enrolled

AT_A_TIME = 8


async def enrol_all(
    places: Sequence[Place], kept: Mapping[str, Kept], identities: Identities, lines: Lines, counts: Counts
) -> list[Enrolled]:
    """The hosts that can push, in the roster's order; of those that are refused, standard error says why."""
    turns = asyncio.Semaphore(AT_A_TIME)
    complaints: set[str] = set()

    async def enrolled(place: Place) -> Enrolled | None:
        if place.key in kept:
            counts.hosts += 1
            return Enrolled(place, kept[place.key].agent)
        if not place.invitation:
            _say(f"{place.key} has enrolled before, but its key is not in the --state folder: it stays silent")
            return None
        async with turns:
            one = await _enrol(place, identities, lines, complaints)
        counts.hosts += one is not None
        return one

    every = await asyncio.gather(*(enrolled(place) for place in places))
    return [one for one in every if one is not None]


async def _enrol(place: Place, identities: Identities, lines: Lines, complaints: set[str]) -> Enrolled | None:
    """Try until it is answered; what all hosts would complain of is said once."""
    invitation = understood(place.invitation)
    agent = Agent(place.name)
    request = agent.enrolment(invitation, os_name="Debian GNU/Linux 13 (trixie), simulated")
    failures = 0
    while True:
        try:
            async with lines.places:
                answer = await lines.post(request)
        except Unreachable as error:
            answer = Answer(503, {}, b"")
            if str(error) not in complaints:
                complaints.add(str(error))
                _say(str(error))
        if answer.status == 200:
            agent.enrolled(request, answer)
            identities.add(place, agent, invitation)
            return Enrolled(place, agent)
        if course_of(answer.status) is not Course.RETRY:
            _say(f"{place.key} cannot enrol: {_words(answer)}")
            return None
        await asyncio.sleep(_wait_s(answer, failures))
        failures += 1


def _wait_s(answer: Answer, failures: int) -> float:
    """As long as the server asks, and by chance a little longer each time."""
    ceiling_s = min(FIRST_BACKOFF_S * 2.0 ** min(failures, 16), LONGEST_BACKOFF_S)
    return retry_after_s(answer.headers.get("retry-after", "")) + random.uniform(0, ceiling_s)  # noqa: S311


def _words(answer: Answer) -> str:
    try:
        problem = json.loads(answer.body)
        return ": ".join(word for word in (problem.get("detail"), problem.get("remedy")) if word)
    except (ValueError, AttributeError):
        return f"the server answers with status {answer.status}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"tocsin_fleet: {sentence}\n")
    sys.stderr.flush()
