"""What Prometheus needs: which hosts there are, and each host's last readings as a page to scrape.

Every target carries `instance`, `job`, `client` and `site` as labels of its own; two targets without `instance`
would have the server's address in common, and one of the hosts would silently be lost. A host's page leaves
out `up`, which is Prometheus's to say, and answers 503 while the host is silent, so that there too it is down.
"""

import asyncio
import math
import re
from collections.abc import Iterable
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from tocsin_protocol.api import PREFIX
from tocsin_protocol.vocabulary import HostState, SeriesKind
from tocsin_server.errors import NotFound, Unauthenticated, Unavailable
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.hosts import samples_of
from tocsin_server.http.needs import Sample
from tocsin_server.http.questions import Id
from tocsin_server.http.sessions import Connection, bearer, is_same
from tocsin_server.series.schema import TARGET_LABELS

TEXT_FORMAT = "text/plain; version=0.0.4"
"""The framework adds the charset."""
_HOST_HEADER = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LOOPBACK = re.compile(r"(?:127\.[0-9.]{5,11}|localhost|\[::1\])(?::[0-9]{1,5})?")
_TYPES = {SeriesKind.UNTYPED: "untyped", SeriesKind.GAUGE: "gauge", SeriesKind.COUNTER: "counter"}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

AnyRequest = Request[Any, Any, Any]


def may_scrape(deps: Deps) -> Guard:
    """The guard: the scrape token, or loopback where the operator has opened it.

    Open is for who asks by a loopback name: a web page that has its own name point here is not served.
    """

    def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        if deps.open_metrics and _LOOPBACK.fullmatch(connection.headers.get("host", "")):
            return
        if not is_same(bearer(connection), deps.scrape_token):
            raise Unauthenticated(
                "this needs the scrape token", remedy="authorization: {credentials_file: DATA/scrape.token}"
            )

    return guard


@get(f"{PREFIX}/prometheus/sd", sync_to_thread=False)
def service_discovery(deps: Wired, request: AnyRequest) -> list[dict[str, Any]]:
    """Every host in service as a target group, in the words of Prometheus's `http_sd_configs`."""
    address = _own_address(deps, request)
    scheme = request.url.scheme
    return [
        {
            "targets": [address],
            "labels": {
                "__metrics_path__": f"{PREFIX}/hosts/{host.id}/metrics",
                "__scheme__": scheme,
                "instance": host.name,
                "job": host.job,
                "client": host.client,
                "site": host.site,
            },
        }
        for host in deps.estate.hosts()
    ]


@get(f"{PREFIX}/hosts/{{host_id:int}}/metrics")
async def host_metrics(deps: Wired, host_id: Id) -> Response[bytes]:
    """A host's last readings in Prometheus's text format."""
    host = deps.estate.host(host_id)
    if host is None:
        raise NotFound(f"there is no host {host_id} in service")
    if deps.hosts.state(host_id) is not HostState.UP or deps.head.newest_ms(host_id) is None:
        raise Unavailable(f"{host.client}'s host {host.name} is silent", retry_after_s=deps.settings.interval_s)
    page = await asyncio.to_thread(lambda: exposition(samples_of(deps, host_id)))
    return Response(page, media_type=TEXT_FORMAT)


def exposition(samples: Iterable[Sample]) -> bytes:
    """The samples as a page of the text format 0.0.4: the lines of a metric together, under its type."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.name != "up" and not sample.name.startswith("scrape_"):
            by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, group in sorted(by_name.items()):
        lines.append(f"# TYPE {name} {_TYPES[group[0].kind]}\n")
        lines.extend(_line(sample) for sample in group)
    return "".join(lines).encode()


def _line(sample: Sample) -> str:
    labels = ",".join(
        f'{name}="{value.translate(_ESCAPES)}"'
        for name, value in sample.labels.items()
        if name not in TARGET_LABELS and name != "__name__"
    )
    return (
        f"{sample.name}{{{labels}}} {_number(sample.value)}\n"
        if labels
        else f"{sample.name} {_number(sample.value)}\n"
    )


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _own_address(deps: Deps, request: AnyRequest) -> str:
    """How Prometheus reaches this server: as it just has, if that can be an address."""
    said = request.headers.get("host", "")
    return said if _HOST_HEADER.fullmatch(said) else f"{deps.settings.host}:{deps.settings.port}"


ROUTES = (service_discovery, host_metrics)
