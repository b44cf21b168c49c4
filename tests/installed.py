"""Programs of other people, each in an environment of its own that later runs find again in pytest's cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"
_INSTALL_TIMEOUT_S = 600
_PROGRAM_TIMEOUT_S = 120
_READY = "ready"


def python_with(requirements: tuple[str, ...], cache: Path) -> Path:
    """Return the interpreter of an environment with these packages; skips the test when they can't be installed."""
    folder = cache / _key("python", sys.version.split()[0], *requirements)
    python = folder / "bin" / "python"
    if not (folder / _READY).exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _install([str(python), "-m", "pip", "install", "--quiet", *requirements], folder)
    return python


def node_with(package: str, cache: Path) -> Path:
    """Return a folder in which node finds the package; skips the test without node, npm or registry."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = cache / _key("node", package)
    if not (folder / _READY).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package], folder)
    return folder


def talk(command: list[str], base_url: str, folder: Path) -> dict[str, Any]:
    """Run a client program in a folder and return the JSON it prints; it gets an address and a key, no more."""
    variables = {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": "any", "NO_PROXY": "127.0.0.1"}
    return told_by(command, folder, variables | {"LLM_USER_PATH": str(folder)})


def told_by(command: list[str], folder: Path, variables: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Run a program in a folder, which is its home, with no variables but these, and return the JSON it prints."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment |= {"HOME": str(folder), **variables}
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_PROGRAM_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _install(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"installing took longer than {_INSTALL_TIMEOUT_S} s")
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"could not be installed: {(done.stderr or done.stdout).strip()[-200:]}")
    (folder / _READY).touch()


def _key(*parts: str) -> str:
    return f"{parts[0]}-{hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()}"
