"""`tocsin-server`: what an operator types. Each command is one function; errors are one line and status 2."""

import argparse
import contextlib
import getpass
import json
import os
import pwd
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_server import app, doctor
from tocsin_server.access.people import add_person, issue_session, person_named
from tocsin_server.alerts.unittest import check_rules, run_rule_tests
from tocsin_server.backup.contents import Tell
from tocsin_server.backup.make import backup, keep_newest, name_in, verify
from tocsin_server.backup.progress import Progress
from tocsin_server.backup.restore import restore
from tocsin_server.clock import SystemClock
from tocsin_server.config import DEFAULT_DATA, ServerConfig, find_config, read_config
from tocsin_server.datafolder import T, administer, make_database
from tocsin_server.errors import Misconfigured, TocsinError
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.devices import DeviceFileErrors, load_device_files
from tocsin_server.estate.enrolment import create_enrol_token
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sealing import MOST_SECRET_BYTES, key_of, seal
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.listening import url_of
from tocsin_server.storage.address import address
from tocsin_server.storage.migrate import newest

EXAMPLES = """\
examples:
  tocsin-server run --data /srv/tocsin
  tocsin-server client add acme --name 'Acme GmbH'
  tocsin-server site add acme berlin
  tocsin-server enrol-token create --client acme --site berlin
  tocsin-server user add alice --name 'Alice Martin'
  tocsin-server rules check config/rules/*.yml
  tocsin-server rules test config/rules/tests/*.yml
  tocsin-server seal --client acme --host atlas < community.txt
  tocsin-server probes check config/probes/*.yml
  tocsin-server backup /var/backups/tocsin --keep 14
  tocsin-server restore /var/backups/tocsin/tocsin-20261125T021500Z.backup --data /srv/tocsin
"""
PROBES_EXAMPLES = """\
examples:
  tocsin-server probes check
  tocsin-server probes check config/probes/acme.yml
"""
SEAL_EXAMPLES = """\
examples:
  tocsin-server seal --client acme --host atlas               (asks, and shows nothing)
  tocsin-server seal --client acme --host atlas < id_ed25519  (a private key for SSH)

The line that is printed goes into config/probes. Only the agent of that host can open it.
"""
HOME_CLIENT, HOME_SITE = "home", "main"
DAY_MS = 86_400_000

Options = argparse.Namespace
Command = Callable[[Options], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(options)
    except TocsinError as error:
        print(f"tocsin-server: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: Options) -> int:
    return app.run(options.data, _settings(options), config=options.config)


def _migrate(options: Options) -> int:
    done = make_database(options.data)
    print(f"database at {newest()}" + ("" if done else ", nothing to do"))
    return 0


def _doctor(options: Options) -> int:
    findings = doctor.examine(options.data, _settings(options), config=options.config)
    for finding in findings:
        print(f"{finding.colour.value:<6} {finding.thing}: {finding.said}")
    return 1 if any(finding.colour is doctor.Colour.RED for finding in findings) else 0


def _backup(options: Options) -> int:
    now = SystemClock().now_ms()
    is_folder = options.file.is_dir()
    if options.keep is not None and not is_folder:
        raise Misconfigured(f"--keep is for a folder of backups, and {options.file} is none")
    path = name_in(options.file, now) if is_folder else options.file
    with _telling() as tell:
        made = backup(options.data, address(options.data, os.environ), path, now_ms=now, tell=tell)
    print(f"written and read again: {made.text}")
    for old in keep_newest(options.file, options.keep) if options.keep is not None else []:
        print(f"removed: {old}")
    return 0


def _verify(options: Options) -> int:
    with _telling() as tell:
        print(f"whole: {verify(options.file, tell=tell).text}")
    return 0


def _restore(options: Options) -> int:
    with _telling() as tell:
        restored = restore(options.file, options.data, address(options.data, os.environ), tell=tell)
    print(f"restored: {restored.text}, now {newest()}")
    return 0


def _rules_check(options: Options) -> int:
    report = check_rules(options.files)
    print(report.text)
    return 0 if report.passed else 1


def _rules_test(options: Options) -> int:
    report = run_rule_tests(options.files, as_served=options.as_served)
    print(report.text)
    return 0 if report.passed else 1


def _probes_check(options: Options) -> int:
    folder = find_config("probes", options.config)
    try:
        found = load_device_files(options.files or ([] if folder is None else folder))
    except DeviceFileErrors as errors:
        print("\n".join(map(str, errors.errors)))
        return 1
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error
    for file in found:
        print(f"{file.file}: {len(file.devices)} of {file.client}, probed by {file.agent} at {file.site}")
    devices = sum(len(file.devices) for file in found)
    print(f"{doctor.counted(devices, 'device')} in {doctor.counted(len(found), 'file')}")
    return 0


def _seal(options: Options) -> int:
    key = _write(options, lambda s: key_of(s, options.client, options.host))
    print(seal(_secret(), key))
    return 0


def _client_add(options: Options) -> int:
    now = SystemClock().now_ms()
    _write(options, lambda s: add_client(s, options.slug, options.name or options.slug, now))
    print(f"client {options.slug} added")
    return 0


def _site_add(options: Options) -> int:
    now = SystemClock().now_ms()
    name = options.name or options.slug
    _write(options, lambda s: add_site(s, client_named(s, options.client), options.slug, name, now))
    print(f"site {options.slug} of {options.client} added")
    return 0


def _host_retire(options: Options) -> int:
    now = SystemClock().now_ms()
    _write(options, lambda s: retire_host(s, client_named(s, options.client), options.name, now))
    print(f"host {options.name} of {options.client} retired; its agent is refused from now on")
    return 0


def _user_add(options: Options) -> int:
    now = SystemClock().now_ms()
    password = _new_password(options.password_file)
    name = options.name or options.login
    _write(options, lambda s: add_person(s, options.login, name, password, Role(options.role), now))
    print(f"{options.role} {options.login} added")
    return 0


def _enrol_token_create(options: Options) -> int:
    now = SystemClock().now_ms()
    url = options.url or url_of(_settings(options))

    def act(session: Session) -> str:
        site = site_named(session, client_named(session, options.client), options.site)
        expires = now + options.hours * 3_600_000
        kind = HostKind(options.kind)
        return create_enrol_token(
            session, open_identity(options.data), site, url, kind=kind, now_ms=now, expires_ms=expires
        )

    token = _write(options, act)
    if options.quiet:
        print(token)
    else:
        print(f"on the host, once, within {options.hours} h:\n\n  sudo tocsin-agent enrol {token}\n")
    return 0


def _prepare(options: Options) -> int:
    """For `tocsin up`: whatever is missing of database, client, site and first technician; prints JSON."""
    make_database(options.data)
    now = SystemClock().now_ms()

    def act(session: Session) -> dict[str, str]:
        client = client_named(session, HOME_CLIENT, missing_ok=True) or add_client(
            session, HOME_CLIENT, "Home", now
        )
        site = site_named(session, client, HOME_SITE, missing_ok=True) or add_site(
            session, client, HOME_SITE, "Main", now
        )
        login, name = _first_technician()
        person = person_named(session, login) or add_person(session, login, name, None, Role.ADMIN, now)
        invitation = ""
        if options.invitation:
            invitation = create_enrol_token(
                session,
                open_identity(options.data),
                site,
                options.url,
                kind=HostKind.SERVER,
                now_ms=now,
                expires_ms=now + DAY_MS,
            )
        return {"session": issue_session(session, person, now, unlimited=True), "invitation": invitation}

    print(json.dumps(_write(options, act)))
    return 0


def _settings(options: Options) -> ServerConfig:
    """`server.toml` where there is one, with the flags that were typed on top."""
    path = options.settings or find_config("server.toml")
    settings = read_config(path) if path is not None else ServerConfig()
    typed = {name: getattr(options, name, None) for name in ("host", "port", "public_url", "open_metrics")}
    return msgspec.structs.replace(settings, **{name: value for name, value in typed.items() if value})


def _write(options: Options, act: Callable[[Session], T]) -> T:
    """One change of the database beside a running server, or without one."""
    return administer(options.data, act)


@contextlib.contextmanager
def _telling() -> Iterator[Tell]:
    """Progress at a terminal; SIGTERM ends it as Ctrl-C does, so that nothing half is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = Progress(sys.stderr)
    try:
        yield progress.tell
    finally:
        progress.end()
        signal.signal(signal.SIGTERM, before)


def _new_password(path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text().rstrip("\n")
        except OSError as error:
            raise Misconfigured(f"{path} cannot be read ({error.strerror})") from error
    password = getpass.getpass("password (12 characters or more): ")
    if getpass.getpass("again: ") != password:
        raise Misconfigured("the two passwords differ", remedy="type them again")
    return password


def _secret() -> bytes:
    """What is typed without being shown, or all of standard input but for the line's end."""
    if sys.stdin.isatty():
        return getpass.getpass("secret: ").encode()
    return sys.stdin.buffer.read(MOST_SECRET_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")


def _from_one(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _first_technician() -> tuple[str, str]:
    """The login and name of whoever runs this."""
    try:
        account = pwd.getpwuid(os.getuid())
        login, name = account.pw_name, account.pw_gecos.partition(",")[0]
    except KeyError:
        login, name = "technician", ""
    login = re.sub(r"[^a-z0-9._-]", "-", login.lower()) or "technician"
    return login, name or login


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin-server",
        description="The central server: it takes what agents push, judges it by rules, and keeps the desk.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tocsin-server {version('tocsin')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_running(commands)
    _add_backups(commands)
    _add_rules(commands)
    _add_probes(commands)
    _add_estate(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    act: Command,
    said: str,
    *,
    data: bool = True,
    examples: str = "",
) -> argparse.ArgumentParser:
    """One command; nearly all of them work on a data folder."""
    parser = commands.add_parser(
        name,
        help=said,
        description=said[0].upper() + said[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=act)
    if data:
        parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder (default %(default)s)")
        parser.add_argument("--settings", type=Path, help="server.toml to use")
    return parser


def _group(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, said: str
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    return commands.add_parser(name, help=said).add_subparsers(required=True, metavar="COMMAND")


def _add_running(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = _command(commands, "run", _run, "serve agents and consoles until SIGTERM")
    run.add_argument("--host", help="address to listen on (default 127.0.0.1); beyond loopback with TLS")
    run.add_argument("--port", type=int, help="port to listen on (default 8443)")
    run.add_argument("--public-url", help="URL under which agents reach this server")
    run.add_argument(
        "--config", type=Path, help="folder with rules/ and probes/ to use instead of the shipped ones"
    )
    run.add_argument("--open-metrics", action="store_true", help="metrics without a token, on loopback only")
    _command(commands, "migrate", _migrate, "bring the database to this version's tables")
    examine = _command(commands, "doctor", _doctor, "look at this installation and say what is wrong")
    examine.add_argument("--config", type=Path, help="folder with rules/ and probes/ to look at")
    prepare = _command(commands, "prepare", _prepare, "make what 'tocsin up' needs, and print it as JSON")
    prepare.add_argument("--url", required=True, help="URL for the invitation")
    prepare.add_argument("--no-invitation", dest="invitation", action="store_false", help="no enrolment token")


def _add_backups(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    made = _command(
        commands, "backup", _backup, "write all that this server needs into one file; the file holds its keys"
    )
    made.add_argument("file", type=Path, metavar="FILE", help="a new file, or a folder of backups")
    made.add_argument("--keep", type=_from_one, metavar="N", help="leave the newest N backups in that folder")
    whole = _command(commands, "verify", _verify, "read a backup from end to end; restore nothing", data=False)
    whole.add_argument("file", type=Path, metavar="FILE")
    again = _command(
        commands, "restore", _restore, "make a new data folder from a backup; nothing is overwritten"
    )
    again.add_argument("file", type=Path, metavar="FILE")


def _add_rules(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rules = _group(commands, "rules", "check and test rule files")
    check = _command(
        rules, "check", _rules_check, "load Prometheus rule files and say what is wrong", data=False
    )
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test = _command(rules, "test", _rules_test, "run unit tests in promtool's format", data=False)
    test.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test.add_argument(
        "--as-served", action="store_true", help="missing data is unknown, as on the server (promtool resolves)"
    )


def _add_probes(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = _command(
        _group(commands, "probes", "files of devices"),
        "check",
        _probes_check,
        "read files of devices and say what is wrong",
        data=False,
        examples=PROBES_EXAMPLES,
    )
    check.add_argument("files", type=Path, nargs="*", metavar="FILE", help="default: config/probes")
    check.add_argument("--config", type=Path, help="folder with probes/ to look at")
    sealing = _command(
        commands,
        "seal",
        _seal,
        "seal a secret from standard input for the agent that is to use it",
        examples=SEAL_EXAMPLES,
    )
    sealing.add_argument("--client", required=True, help="slug of the client")
    sealing.add_argument("--host", required=True, help="the host whose agent probes the device")


def _add_estate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    client = _command(_group(commands, "client", "client organisations"), "add", _client_add, "add a client")
    client.add_argument("slug")
    client.add_argument("--name", help="full name")
    site = _command(_group(commands, "site", "clients' sites"), "add", _site_add, "add a site of a client")
    site.add_argument("client")
    site.add_argument("slug")
    site.add_argument("--name", help="full name")
    retire = _command(
        _group(commands, "host", "watched hosts"), "retire", _host_retire, "retire a host and refuse its agent"
    )
    retire.add_argument("client")
    retire.add_argument("name")
    user = _command(_group(commands, "user", "people who sign in"), "add", _user_add, "add a person")
    user.add_argument("login")
    user.add_argument("--name", help="full name")
    user.add_argument("--role", choices=[role.value for role in Role], default=Role.TECHNICIAN.value)
    user.add_argument(
        "--password-file", type=Path, help="read the password from here; otherwise it is asked for"
    )
    token = _command(
        _group(commands, "enrol-token", "invitations for agents"),
        "create",
        _enrol_token_create,
        "invite one agent, once",
    )
    token.add_argument("--client", required=True)
    token.add_argument("--site", required=True)
    token.add_argument("--kind", choices=[kind.value for kind in HostKind], default=HostKind.SERVER.value)
    token.add_argument(
        "--hours", type=_from_one, default=24, help="how long it is good for (default %(default)s)"
    )
    token.add_argument("--url", help="URL under which this host reaches the server")
    token.add_argument("--quiet", action="store_true", help="print the token alone")
