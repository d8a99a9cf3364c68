"""The files that operators write: rules are checked and tested, the others checked, secrets sealed."""

import argparse
import getpass
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tocsin_server import doctor
from tocsin_server.alerts.durations import parse_duration
from tocsin_server.alerts.lint import KnownMetrics, Surroundings
from tocsin_server.alerts.maintenance import Window
from tocsin_server.alerts.matchertext import spelled
from tocsin_server.alerts.suppressionfile import SuppressionFileErrors, Suppressions, load_suppressions
from tocsin_server.alerts.unittest import check_rules, run_rule_tests
from tocsin_server.cli.backtest import add_backtest
from tocsin_server.cli.command import Commands, Options, command, group, settings
from tocsin_server.cli.query import shown
from tocsin_server.cli.why import add_why
from tocsin_server.clock import moment
from tocsin_server.config import find_config
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.devices import DeviceFileErrors, load_device_files
from tocsin_server.estate.sealing import MOST_SECRET_BYTES, key_of, seal
from tocsin_server.yaml_files import yaml_files

CHECK_EXAMPLES = """\
examples:
  tocsin-server rules check config/rules/*.yml
  tocsin-server rules check --strict --retention 30d my-rules/*.yml
  tocsin-agent once > sent.txt && tocsin-server rules check --known-metrics sent.txt my-rules/*.yml

Beside mistakes it warns of what is seldom meant: a label that holds the value, a look back that is longer
than samples are kept, and a metric that nobody sends. The last is said only of names whose first word
tocsin's agents use (node_, probe_, if, sys, tocsin_) or a file given by --known-metrics: rules about what
other exporters send are left alone.
"""
PROBES_EXAMPLES = """\
examples:
  tocsin-server probes check
  tocsin-server probes check config/probes/acme.yml
"""
SUPPRESSIONS_EXAMPLES = """\
examples:
  tocsin-server suppressions check
  tocsin-server suppressions check config/suppressions
  tocsin-server suppressions check nights.yml acme.yml

Files are read together, as a server reads its folder: a window may name an interval of another file. Whether
the clients, sites and hosts that they name are there, the running server says in its status.
"""
SEAL_EXAMPLES = """\
examples:
  tocsin-server seal --client acme --host atlas               (asks, and shows nothing)
  tocsin-server seal --client acme --host atlas < id_ed25519  (a private key for SSH)

The line that is printed goes into config/probes. Only the agent of that host can open it.
"""
METRICS = "metrics.txt"
"""What agents and the server send; `python -m tests.metrics` writes it."""


def add_commands(commands: Commands) -> None:
    """`rules, probes, seal, suppressions`."""
    _add_rules(commands)
    _add_probes(commands)
    _add_suppressions(commands)


def _add_rules(commands: Commands) -> None:
    """`rules check, rules test, rules backtest, rules why`."""
    rules = group(commands, "rules")
    add_why(rules)
    add_backtest(rules)
    check = command(
        rules,
        "check",
        _rules_check,
        "load Prometheus rule files and say what is wrong and what is doubtful",
        data=False,
        examples=CHECK_EXAMPLES,
    )
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.add_argument("--strict", action="store_true", help="a warning fails too")
    check.add_argument(
        "--retention",
        type=_duration,
        metavar="TIME",
        help="how long the server keeps samples (default: samples_days of server.toml)",
    )
    check.add_argument(
        "--known-metrics",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="names that are sent too: one a line, node_memory_* for a family, or a page of /metrics",
    )
    check.add_argument("--settings", type=Path, help="server.toml to use")
    test = command(rules, "test", _rules_test, "run unit tests in promtool's format", data=False)
    test.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test.add_argument(
        "--as-served", action="store_true", help="missing data is unknown, as on the server (promtool resolves)"
    )


def _add_probes(commands: Commands) -> None:
    """`probes check, seal`."""
    check = command(
        group(commands, "probes"),
        "check",
        _probes_check,
        "read files of devices and say what is wrong",
        data=False,
        examples=PROBES_EXAMPLES,
    )
    check.add_argument("files", type=Path, nargs="*", metavar="FILE", help="default: config/probes")
    check.add_argument("--config", type=Path, help="folder with probes/ to look at")
    sealing = command(
        commands,
        "seal",
        _seal,
        examples=SEAL_EXAMPLES,
    )
    sealing.add_argument("--client", required=True, help="slug of the client")
    sealing.add_argument("--host", required=True, help="the host whose agent probes the device")


def _add_suppressions(commands: Commands) -> None:
    """`suppressions check`."""
    check = command(
        group(commands, "suppressions"),
        "check",
        _suppressions_check,
        "read files of intervals, maintenance, inhibition and parents and say what is wrong",
        data=False,
        examples=SUPPRESSIONS_EXAMPLES,
    )
    check.add_argument(
        "files", type=Path, nargs="*", metavar="FILE", help="or a folder (default: config/suppressions)"
    )
    check.add_argument("--config", type=Path, help="folder with suppressions/ to look at")


def _rules_check(options: Options) -> int:
    around = Surroundings(known=_known_metrics(options.known_metrics), retention_ms=_retention_ms(options))
    report = check_rules(options.files, around, strict=options.strict)
    print(report.text)
    return 0 if report.passed else 1


def _retention_ms(options: Options) -> int | None:
    """What is typed, or what the settings say; nothing where whoever checks rules may not read those."""
    if options.retention is not None:
        return int(options.retention)
    try:
        return settings(options).samples_days * 86_400_000
    except Misconfigured:
        if options.settings is not None:
            raise
        return None


def _known_metrics(more: Iterable[Path]) -> KnownMetrics | None:
    """The shipped list with what an operator adds; without the list nobody can say what is not sent."""
    shipped = find_config(METRICS)
    if shipped is None:
        return None
    known = KnownMetrics(frozenset())
    for file in (shipped, *more):
        try:
            known |= KnownMetrics.read(file.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise Misconfigured(f"{file} cannot be read ({why})", remedy="give a list of names") from error
    return known


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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


def _suppressions_check(options: Options) -> int:
    folder = find_config("suppressions", options.config)
    try:
        files = yaml_files(options.files or ([] if folder is None else folder))
        found = load_suppressions(files)
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error
    except SuppressionFileErrors as refused:
        for wrong in refused.errors:
            print(shown(str(wrong)))
        return 1
    for line in _entries(found):
        print(shown(line))
    print(f"{', '.join(_counts(found))} in {doctor.counted(len(files), 'file')}")
    return 0


def _entries(found: Suppressions) -> Iterator[str]:
    """A line for each thing that files say."""
    yield from (f"time interval {name}" for name in found.intervals)
    yield from map(_window, found.windows)
    for rule in found.rules:
        equal = f" of equal {', '.join(rule.equal)}" if rule.equal else ""
        yield f"inhibition rule {rule.name}: {spelled(rule.source)} withholds {spelled(rule.target)}{equal}"
    for entry in found.parents:
        hosts, parents = (", ".join(names) for names in (entry.hosts, entry.parents))
        yield f"parent list {entry.name} of {entry.client}: {hosts} through {parents}"


def _window(window: Window) -> str:
    place = window.place
    where = "/".join(name for name in (place.client, place.site, place.host) if name)
    which = spelled(window.matchers) if window.matchers else ""
    ends = [
        f" {word} {moment(at_ms):%Y-%m-%dT%H:%M:%SZ}"
        for word, at_ms in (("from", window.from_ms), ("until", window.until_ms))
        if at_ms is not None
    ]
    often = f" within {doctor.counted(len(window.intervals), 'interval')}" if window.intervals else ""
    return f"maintenance window {window.name}: {' '.join(filter(None, (where, which)))}{''.join(ends)}{often}"


def _counts(found: Suppressions) -> Iterator[str]:
    yield doctor.counted(len(found.intervals), "time interval")
    yield doctor.counted(len(found.windows), "maintenance window")
    yield doctor.counted(len(found.rules), "inhibition rule")
    yield doctor.counted(len(found.parents), "parent list")


def _seal(options: Options) -> int:
    key = look(options.data, lambda s: key_of(s, options.client, options.host))
    print(seal(_secret(), key))
    return 0


def _secret() -> bytes:
    """What is typed without being shown, or all of standard input but for the line's end."""
    if sys.stdin.isatty():
        return getpass.getpass("secret: ").encode()
    return sys.stdin.buffer.read(MOST_SECRET_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")
