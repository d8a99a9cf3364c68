"""The folder of rule files that a server looks at: a change is taken whole, or not at all.

Looking is cheap while nothing changes: one `stat` a file. Where the files are wrong, the set that was read last
stays in force, and `problems` says what is wrong with the new one.
"""

from pathlib import Path

from tocsin_protocol.status import RuleProblem
from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.yaml_files import Signature, digest_of, signature_of


class RuleFolder:
    """One folder; its `*.yml` and `*.yaml` files, without those of its folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = RuleSet()
        """The last good set."""
        self.problems: list[RuleProblem] = []
        self._signature: Signature | None = None
        self._digest = b""

    def reload(self) -> bool:
        """Look again; whether `rules` is another set now."""
        try:
            signature = signature_of(self.folder)
            if signature == self._signature:
                return False
            digest = digest_of(self.folder)
            rules = self.rules if digest == self._digest else load_rule_files(self.folder)
        except OSError as error:
            self._signature = None
            self.problems = [RuleProblem(file=str(self.folder), reason=f"cannot be read ({error.strerror})")]
            return False
        except RuleFileErrors as error:
            self._signature = signature
            self.problems = [
                RuleProblem(
                    file=wrong.file,
                    group=wrong.group,
                    rule=wrong.rule,
                    reason=f"line {wrong.line}: {wrong.reason}",
                )
                for wrong in error.errors
            ]
            return False
        changed = digest != self._digest
        self._signature, self._digest, self.rules, self.problems = signature, digest, rules, []
        return changed
