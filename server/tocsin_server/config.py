"""The server's settings: one file, strictly read. A key that is not known is an error that names it."""

import difflib
import re
import sysconfig
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from tocsin_protocol.vocabulary import Role
from tocsin_protocol.wire import SPOOL_HOURS
from tocsin_server.errors import Misconfigured
from tocsin_server.loopback import is_loopback

ETC = Path("/etc/tocsin")
CHECKOUT = Path(__file__).resolve().parents[2] / "config"
SHIPPED = Path(sysconfig.get_path("data")) / "share" / "tocsin"
DEFAULT_DATA = Path("/var/lib/tocsin")
_ADDRESS = re.compile(r"[\w%+-]+(\.[\w%+-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
LEAST_DAYS = SPOOL_HOURS // 24 + 2
"""So long late data may come, and then its hour's samples must be there."""


class ClientHistory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[client_history.SLUG]`: what one client has agreed, where that is not what all have."""

    samples_days: int | None = None
    rollup_days: int | None = None


class MailConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[mail]`: the mail server that notices are given to. Without a host they go nowhere."""

    host: str = ""
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    """Whom to trust beside the system's authorities: a mail server of one's own."""
    user: str = ""
    password_file: str = ""
    sender: str = msgspec.field(name="from", default="")

    def __post_init__(self) -> None:
        """Raise `ValueError` for what could send nothing, or would show a password to the network."""
        if not self.host:
            return
        if not 0 < self.port < 65_536:
            raise ValueError(f"mail.port is {self.port}: choose 1 to 65535")
        if _ADDRESS.fullmatch(self.sender) is None:
            raise ValueError("mail.from has to be the address that notices come from, such as desk@example.net")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("mail.user and mail.password_file belong together")
        if self.security == "none" and self.user and not is_loopback(self.host):
            raise ValueError("mail.security is none: a password would be sent for all to read")


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`server.toml`. Every key is optional."""

    host: str = "127.0.0.1"
    """The address to listen on. Beyond loopback the server speaks TLS with its own certificate."""
    port: int = 8443
    public_url: str = ""
    """How agents reach this server, where that differs from the address it listens on."""
    interval_s: int = 10
    """How often agents push."""
    evaluate_every_s: float = 1.0
    series_per_hour: int = 20_000
    """How many different series one host may send in an hour."""
    journal_hours: int = 6
    """How long pushed frames are kept as they came, for a start and for data that comes late."""
    samples_days: int = 15
    """How long history keeps every sample."""
    rollup_days: int = 396
    """How long history keeps minimum, maximum, mean and count of every five minutes."""
    client_history: dict[str, ClientHistory] = {}
    """By a client's slug, where it has agreed something else."""
    reopen_minutes: int = 60
    """A ticket that is solved for less than this is reopened when its alert fires again."""
    quiet_seconds: int = 20
    """How long a condition must stay false, on fresh samples, before its ticket is solved by itself."""
    still_firing_minutes: int = 10
    """How long after a person has resolved a ticket it is reopened where one of its alerts goes on."""
    require_totp: list[Role] = []
    """Roles that sign in with a one-time code; who has none yet may do nothing but enrol a device."""
    mail: MailConfig = MailConfig()
    """By which mail server notices go out."""
    open_metrics: bool = False
    """Serve /metrics and what Prometheus needs without a token; only obeyed on loopback."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for what would delete an hour that data may still come for, or take nothing."""
        said: list[ServerConfig | ClientHistory] = [self, *self.client_history.values()]
        days = [days for each in said for days in (each.samples_days, each.rollup_days) if days is not None]
        if min(days) < LEAST_DAYS:
            raise ValueError(f"history is kept for {LEAST_DAYS} days at least, since data may come so late")
        if self.series_per_hour < 1:
            raise ValueError(f"series_per_hour is {self.series_per_hour}: no host could send anything")

    def days_of(self, client: str) -> tuple[int, int]:
        """For how many days samples and roll-ups of a client are kept, by its slug."""
        agreed = self.client_history.get(client, ClientHistory())
        return agreed.samples_days or self.samples_days, agreed.rollup_days or self.rollup_days


def read_config(path: Path) -> ServerConfig:
    """Read `server.toml`; raises `Misconfigured` with the file, the key and the remedy."""
    try:
        text = path.read_text()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror})", remedy="check the path") from error
    try:
        return msgspec.convert(tomllib.loads(text), ServerConfig)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{path}: {error}{_suggestion(str(error))}") from error


def _suggestion(message: str) -> str:
    """For a misspelt key, the key that was probably meant."""
    if "unknown field" not in message:
        return ""
    word = message.split("`")[1]
    near = difflib.get_close_matches(word, ServerConfig.__struct_fields__, n=1)
    known = f"did you mean {near[0]!r}" if near else "known keys: " + ", ".join(ServerConfig.__struct_fields__)
    return f" ({known})"


def config_folders(given: Path | None = None) -> list[Path]:
    """Where shipped and edited files are looked for, best first."""
    return [folder for folder in (given, ETC, CHECKOUT, SHIPPED) if folder is not None]


def find_config(name: str, given: Path | None = None) -> Path | None:
    """The first of the folders that holds `name`, such as `rules` or `server.toml`."""
    return next((folder / name for folder in config_folders(given) if (folder / name).exists()), None)
