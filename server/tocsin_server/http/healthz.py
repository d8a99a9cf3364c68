"""`/healthz`: whether this server does its work, open to whoever asks; it says no more than that."""

import msgspec
from litestar import Response, get

from tocsin_server.http.deps import Wired


@get("/healthz", sync_to_thread=False)
def healthz(deps: Wired) -> Response[bytes]:
    """200 while the rules are judged and pushes are stored; otherwise 503 with what is wrong."""
    ails = list(deps.ails())
    body = msgspec.json.encode({"status": "ailing" if ails else "ok", "ails": ails})
    return Response(
        body,
        status_code=503 if ails else 200,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
