"""The core stays light: no PyTorch on the default way, no Streamlit in the core, and help at once."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from sample_data.make_session import Session
from tests.conftest import COMMAND, ROOT, Trickline

HEAVY = {"torch", "torchvision", "ultralytics", "streamlit"}

LOADED = (
    sys.executable,
    "-c",
    f"""
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
{COMMAND[2]}
""",
)
"""The command, which lists on stderr what it imported."""


def imported(path: Path) -> set[str]:
    """The packages that a module imports, at its top or within a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "arguments",
    [("--stride", "8", "--pose", "movenet"), ("--labels", "{labels}")],
    ids=["starter", "labels"],
)
def test_the_default_way_needs_no_torch(session: Session, trickline: Trickline, arguments: tuple[str, ...]) -> None:
    """PyTorch takes seconds to load and gigabytes to install: only YOLO on a card and deep training may ask for it."""
    options = [argument.format(labels=session.annotations) for argument in arguments]
    ran = trickline("run", session.video, *options, command=LOADED)
    assert ran.code == 0
    loaded = set(ran.err.split())
    assert {"core.pipeline", "core.detector", "cv2", "av"} <= loaded
    assert not loaded & HEAVY


def test_the_lists_of_modules_are_whole(trickline: Trickline) -> None:
    """The test above proves something only if a heavy package would be seen."""
    ran = trickline("--help", command=(*LOADED[:2], f"import sys; sys.modules['torch'] = sys\n{LOADED[2]}"))
    assert "torch" in ran.err.split()


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ()], ids=["help", "run help", "nothing"])
def test_help_comes_at_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = Trickline(tmp_path / "home", tmp_path)(*arguments, command=LOADED)
    assert not set(ran.err.split()) & {*HEAVY, "av", "cv2", "numpy", "pandas", "scipy", "sklearn", "sqlalchemy"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_page(path: Path) -> None:
    """The command line and the workers run where no browser is."""
    assert not imported(path) & {"streamlit", "pages", "app"}
