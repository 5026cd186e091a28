"""The wheel engage-sandbox as a POS vendor uses it: a command, a fixture of pytest, and a class."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from engage_sandbox import Sandbox, SandboxError

ASTRID, COFFEE = "a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001"


def buy(sandbox: Sandbox) -> str:
    """Lets a till in a process of its own buy, and returns its outcome."""
    till = (
        "import json, sys; from engage_point_shop import Client, PointShopError\n"
        "with Client(json.loads(sys.argv[1])) as shop:\n"
        "    try: print(shop.purchase(sys.argv[2], sys.argv[3], reference='receipt 1', wait_ms=3000)['outcome'])\n"
        "    except PointShopError as problem: print(str(problem).split()[0])\n"
    )
    ended = subprocess.run([sys.executable, "-c", till, json.dumps(sandbox.config), ASTRID, COFFEE], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def deductions(sandbox: Sandbox) -> int:
    return sum(entry["kind"] == "deduct" for entry in sandbox.ledger())


def test_fixture_sells_and_shows_the_ledger(engage_sandbox: Sandbox, tmp_path: Path) -> None:
    assert buy(engage_sandbox) == "completed"
    assert deductions(engage_sandbox) == 1
    assert Path(engage_sandbox.config["journalPath"]) == tmp_path / "journal.db"
    assert Path(engage_sandbox.ca).exists() and engage_sandbox.key == "demo-key"
    engage_sandbox.reset()
    assert deductions(engage_sandbox) == 0


def test_armed_fault_strikes_until_it_is_cleared(engage_sandbox: Sandbox) -> None:
    engage_sandbox.arm("purchase", {"status": {"status": 503}}, times=0)
    assert buy(engage_sandbox) == "EPS_PENDING_SERVER_ERROR"
    assert deductions(engage_sandbox) == 0
    engage_sandbox.clear()
    assert engage_sandbox.get("/_sandbox/faults") == []
    with pytest.raises(SandboxError, match="the effect nonsense is unknown"):
        engage_sandbox.arm("purchase", "nonsense")


def test_each_test_has_a_sandbox_of_its_own(engage_sandbox: Sandbox) -> None:
    with Sandbox() as other:
        assert other.url != engage_sandbox.url
        assert buy(other) == "completed"
    assert deductions(engage_sandbox) == 0
    assert not other.folder.exists()
    with pytest.raises(urllib.error.URLError):
        other.ledger()


def test_wrong_option_is_an_error_with_its_reason() -> None:
    with pytest.raises(SandboxError, match="--nonsense"):
        Sandbox(None, "--nonsense")


def test_sandbox_ends_with_the_process_that_started_it() -> None:
    script = "import os; from engage_sandbox import Sandbox; print(Sandbox().http_url, flush=True); os._exit(1)"
    url = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip()
    ended = subprocess.run([command(), "tail", "--at", url], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "no sandbox runs at" in ended.stderr


def command() -> str:
    return str(Path(sys.executable).with_name("engage-sandbox.exe" if os.name == "nt" else "engage-sandbox"))


def test_command_passes_arguments_and_exit_code() -> None:
    assert subprocess.run([command(), "--version"], capture_output=True, text=True).stdout.startswith("engage-sandbox ")
    assert subprocess.run([command(), "--nonsense"], capture_output=True).returncode == 2
