"""What the server says of itself at `/metrics`: one registry, made by the composition root.

Names begin with `tocsin_`; units are seconds and bytes. `alert_detection` is the promise of the product:
from the reading on the host that broke the rule to the ticket on the desk.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_DETECTION = (0.5, 1, 2, 3, 5, 8, 11, 15, 20, 30, 45, 60, 120, 300, 600)


class Health:
    """The server's own metrics. One instance a process; tests make their own."""

    def __init__(self) -> None:  # long, but a list: each metric once, with its help
        # A series for each counter that no rule asks for: Prometheus knows when a counter began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry()
        self.pushes = Counter(
            "tocsin_pushes", "Requests of agents, by path and status", ["path", "status"], registry=registry
        )
        self.frames = Counter(
            "tocsin_frames",
            "Frames by outcome: stored, repeated, refused, late, clamped",
            ["outcome"],
            registry=registry,
        )
        self.series_refused = Counter(
            "tocsin_series_refused",
            "Series in schemas refused because their host sends too many different ones, by client",
            ["client"],
            registry=registry,
        )
        self.samples = Counter("tocsin_samples", "Samples stored", registry=registry)
        self.push_bytes = Counter("tocsin_push_bytes", "Bytes of pushes as received", registry=registry)
        self.journal_commit = Histogram(
            "tocsin_journal_commit_seconds",
            "One group commit of the journal",
            buckets=_SHORT,
            registry=registry,
        )
        self.journal_bytes = Gauge("tocsin_journal_bytes", "Size of the journal on disk", registry=registry)
        self.inbox = Gauge("tocsin_inbox_frames", "Frames stored but not yet judged", registry=registry)
        self.late_waiting = Gauge(
            "tocsin_late_hosts_waiting", "Hosts with late data that is not judged yet", registry=registry
        )
        self.late_judged = Counter(
            "tocsin_late_judged_seconds", "Seconds of late data judged, host by host", registry=registry
        )
        self.late_episodes = Counter(
            "tocsin_late_episodes", "Alerts found in late data, over before it came", registry=registry
        )
        self.history_waiting = Gauge(
            "tocsin_history_hours_waiting",
            "Hours of hosts that are over and not in history yet",
            registry=registry,
        )
        self.history_hours = Counter(
            "tocsin_history_hours",
            "Hours of hosts written to history, again where late data came",
            registry=registry,
        )
        self.history_bytes = Gauge("tocsin_history_bytes", "Size of history on disk", registry=registry)
        self.writer = Gauge("tocsin_writer_waiting", "Changes waiting for the database", registry=registry)
        self.head_series = Gauge("tocsin_head_series", "Series in the head", registry=registry)
        self.hosts = Gauge("tocsin_hosts", "Hosts by state", ["state"], registry=registry)
        self.evaluation = Histogram(
            "tocsin_evaluation_duration_seconds",
            "One round over all rules",
            buckets=_SHORT,
            registry=registry,
        )
        self.evaluations_missed = Counter(
            "tocsin_evaluations_missed", "Rounds that began late by a whole period", registry=registry
        )
        self.rules = Gauge("tocsin_rules", "Rules in force", registry=registry)
        self.rule_problems = Gauge(
            "tocsin_rule_problems",
            "What files of rules, devices and suppressions say and is not in force, and rules that fail",
            registry=registry,
        )
        self.rule_failures = Counter(
            "tocsin_rule_failures", "Evaluations that failed, by rule", ["rule"], registry=registry
        )
        self.alerts = Gauge("tocsin_alerts", "Alerts by state", ["state"], registry=registry)
        self.alerts_suppressed = Gauge(
            "tocsin_alerts_suppressed",
            "Alerts whose delivery is withheld, by what withholds it; one may count for several",
            ["reason"],
            registry=registry,
        )
        self.silences = Gauge("tocsin_silences", "Silences that hold now", registry=registry)
        self.transitions = Counter(
            "tocsin_transitions", "Changes of alerts by new state", ["state"], registry=registry
        )
        self.alert_detection = Histogram(
            "tocsin_alert_detection_seconds",
            "From the reading that broke the rule to the ticket",
            buckets=_DETECTION,
            registry=registry,
        )
        self.notices = Counter(
            "tocsin_notices",
            "Notices by outcome: written, nobody (without an address); their mails: sent, put_off, failed",
            ["outcome"],
            registry=registry,
        )
        self.notices_waiting = Gauge(
            "tocsin_notices_waiting", "Notices that wait for the mail server", registry=registry
        )
        self.tickets = Gauge("tocsin_tickets", "Open tickets", ["client", "priority"], registry=registry)
        self.tickets_opened = Counter(
            "tocsin_tickets_opened", "Tickets opened", ["client", "priority"], registry=registry
        )
