"""How urgent a ticket is, as a technician types it. Pure."""

from tocsin_protocol.acts import Prioritisation

HIGHEST, LOWEST = 1, 4


def weight_of(text: str, why: str) -> Prioritisation:
    """`2` with its reason, or `high medium`: impact and urgency. Raises `ValueError` for anything else."""
    match text.split():
        case [number] if number.isdecimal() and number.isascii():
            return Prioritisation(priority=_priority(int(number)), text=_reason(why))
        case [impact, urgency]:
            return Prioritisation(impact=impact.lower(), urgency=urgency.lower(), text=why.strip())
        case _:
            raise ValueError("type 1 to 4, or impact and urgency such as: high medium")


def told(weight: Prioritisation) -> str:
    """The same in words."""
    if weight.priority is not None:
        return f"priority {weight.priority}: {weight.text}"
    return f"impact {weight.impact}, urgency {weight.urgency}: the table says which priority that is"


def _priority(number: int) -> int:
    if not HIGHEST <= number <= LOWEST:
        raise ValueError(f"there is no priority {number}: 1 is the most urgent, 4 the least")
    return number


def _reason(why: str) -> str:
    if not why.strip():
        raise ValueError("a priority needs its reason")
    return why.strip()
