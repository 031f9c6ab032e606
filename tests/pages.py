"""The pages of docs as something to run: their fenced blocks, by page and by what stands behind the fence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its page, the words behind the fence, its lines (continued ones joined)."""

    page: str
    kind: str
    lines: tuple[str, ...]


def blocks(path: Path) -> list[Block]:
    """Every fenced block of a page."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(path.name, kind, tuple(line.strip() for line in body.replace("\\\n", " ").splitlines() if line.strip()))
        for kind, body in FENCE.findall(text)
    ]


def lines(page: str, kind: str) -> list[str]:
    """Lines of a page's blocks of one kind, in order."""
    return [line for block in blocks(ROOT / "docs" / page) if block.kind == kind for line in block.lines]


def pages() -> list[Path]:
    """The pages people follow; docs/cli.md is made from the commands themselves, and a test compares it."""
    return [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "cli.md")]
