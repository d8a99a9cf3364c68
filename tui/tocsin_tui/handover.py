"""To whom a ticket is given, as a technician types it. Pure."""

from tocsin_protocol.teams import Assign


def handover(team: str, person: str, supplier: str, why: str, *, has: str) -> Assign:
    """What is asked for; the team `has` the ticket. Raises `ValueError` where it is given to nobody."""
    to_team, to_person, to_supplier = team.strip(), person.strip(), supplier.strip()
    if to_team == has:
        to_team = ""
    if not (to_team or to_person or to_supplier):
        raise ValueError("name another team, a person of this one, or a supplier")
    return Assign(
        team=to_team or None, person=to_person or None, supplier=to_supplier or None, text=why.strip()
    )


def told(wish: Assign) -> str:
    """The same in words."""
    return "to " + ", ".join(whom for whom in (wish.person, wish.team, wish.supplier) if whom)
