"""Find numbers that must not be there, with the product's own scanner (pseudonymize/scan.py).

`scan(folder, numbers)` returns where and in what form, never what. tests/pseudonymize/test_scan.py plants a number in
every form the scanner claims to find, so the leak tests can fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pseudonymize.needles import of_numbers
from pseudonymize.scan import Scanner

Hit = tuple[str, str]


def scan(folder: Path, numbers: Iterable[str]) -> list[Hit]:
    """(file, form) of every place where one of the nine-digit numbers is found, sorted."""
    found = Scanner(of_numbers(numbers)).scan(folder)
    return sorted((hit.file, hit.form) for hit in found.hits)
