"""The fixture of pytest. pytest loads it by itself where this package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_sandbox import Sandbox


@pytest.fixture
def engage_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A simulated Engage of this test's own. Its till's journal is in ``tmp_path``."""
    with Sandbox(tmp_path) as sandbox:
        yield sandbox
