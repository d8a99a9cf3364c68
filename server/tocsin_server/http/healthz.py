"""`/healthz`: whether this server does its work, open to whoever asks; it says no more than that."""

from typing import Literal

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from tocsin_protocol.messages import Message
from tocsin_server.http.deps import Wired


class Condition(Message, frozen=True):
    """Whether it does its work, and what of it it does not."""

    status: Literal["ok", "ailing"]
    ails: list[str]


_AILING = ResponseSpec(Condition, generate_examples=False, description="It does not do all of its work")


@get("/healthz", sync_to_thread=False, responses={503: _AILING})
def healthz(deps: Wired) -> Response[Condition]:
    """200 while the rules are judged and pushes are stored; otherwise 503 with what is wrong."""
    ails = list(deps.ails())
    return Response(
        Condition("ailing" if ails else "ok", ails),
        status_code=503 if ails else 200,
        headers={"cache-control": "no-store"},
    )
