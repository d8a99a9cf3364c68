"""What each role may do, and each scope of a token: the one table of it. Each route names its permission."""

from collections.abc import Mapping
from enum import StrEnum

from tocsin_protocol.vocabulary import Role, TokenScope


class Permission(StrEnum):
    """What somebody may do with what they see, or look at."""

    READ = "read"
    """Tickets, alerts and hosts, and the changes as they come."""
    INSPECT = "inspect"
    """What is the provider's own to know: silences, and why an alert stands as it does."""
    QUERY = "query"
    """PromQL."""
    OPEN = "open"
    """Open a ticket by hand."""
    COMMENT = "comment"
    WORK = "work"
    """Take tickets, let them wait, acknowledge, solve, reopen and close them."""
    DISPATCH = "dispatch"
    """Release a ticket that somebody else owns."""
    CONTRACT = "contract"
    """Write contracts."""
    SILENCE = "silence"
    """Make, change and end silences."""


_LOOKING = frozenset({Permission.READ, Permission.INSPECT, Permission.QUERY})
_WORKING = _LOOKING | {Permission.OPEN, Permission.COMMENT, Permission.WORK, Permission.SILENCE}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: _WORKING | {Permission.DISPATCH, Permission.CONTRACT},
    Role.DISPATCHER: _WORKING | {Permission.DISPATCH},
    Role.TECHNICIAN: _WORKING,
    Role.VIEWER: _LOOKING,
    Role.AUDITOR: _LOOKING,
    Role.CLIENT_APPROVER: frozenset({Permission.READ, Permission.OPEN, Permission.COMMENT}),
    Role.CLIENT_VIEWER: frozenset({Permission.READ}),
}


SCOPES: Mapping[TokenScope, frozenset[Permission]] = {
    TokenScope.READ: _LOOKING,
    TokenScope.TICKETS_WRITE: frozenset(
        {Permission.OPEN, Permission.COMMENT, Permission.WORK, Permission.DISPATCH}
    ),
    TokenScope.SILENCES_WRITE: frozenset({Permission.SILENCE}),
}
"""What a token is good for, of what its person may."""


def scope_with(permission: Permission) -> TokenScope | None:
    """The scope that a token needs for it; what is in none no token may."""
    return next((scope for scope, permits in SCOPES.items() if permission in permits), None)


def may(role: Role, permission: Permission) -> bool:
    """Whether the role has it."""
    return permission in PERMISSIONS[role]
