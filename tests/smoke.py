"""Run by hand or by CI against an installed tocsin, outside its checkout: the commands work and ring.

python tests/smoke.py
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

BIN = Path(sys.executable).parent


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    for name in ("tocsin", "tocsin-agent", "tocsin-server"):
        done = subprocess.run([BIN / name, "--version"], capture_output=True, text=True, check=True)
        say(done.stdout.strip())
    once = subprocess.run([BIN / "tocsin-agent", "once"], capture_output=True, text=True, check=True).stdout
    assert "\nnode_cpu_seconds_total{" in once, once[:500]
    assert "# TYPE node_memory_MemTotal_bytes gauge" in once

    folder = Path(tempfile.mkdtemp())
    up = subprocess.Popen(
        [BIN / "tocsin", "up", "--headless", "--port", "18443", "--data", str(folder / "data")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        assert up.stdout is not None
        url = up.stdout.readline().strip()
        say(f"serving at {url}")
        assert url.startswith("http://127.0.0.1:18443"), url
        targets = _wait_for_targets(url)
        say(f"targets {targets}")
        page = urllib.request.urlopen(url + targets[0]["labels"]["__metrics_path__"]).read().decode()
        assert "node_boot_time_seconds" in page
        asked = time.monotonic()
        up.send_signal(signal.SIGTERM)
        assert up.wait(6) == 0
        say(f"ended with status 0 after {time.monotonic() - asked:.1f} s")
    finally:
        up.kill()
        shutil.rmtree(folder)
    return 0


def _wait_for_targets(url: str) -> list[dict[str, dict[str, str]]]:
    for _ in range(300):
        with urllib.request.urlopen(f"{url}/api/v1/prometheus/sd") as answer:
            targets: list[dict[str, dict[str, str]]] = json.load(answer)
        if targets:
            try:
                urllib.request.urlopen(url + targets[0]["labels"]["__metrics_path__"]).close()
            except urllib.error.HTTPError:
                pass
            else:
                return targets
        time.sleep(0.1)
    raise AssertionError("no host has pushed within 30 s")


if __name__ == "__main__":
    sys.exit(main())
