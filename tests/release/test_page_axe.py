"""The page in a real browser: axe finds no breach of WCAG 2.1 AA, and the script finds a municipality.

Skipped where there is no Chromium (Debian: `apt-get install chromium`), unless KOPPEL_REQUIRE_CHROMIUM is set. The
page is opened from disk, without network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest

from release.protect.edition import Protected, shown_table
from release.report import land
from release.report.page import Words, write_page
from schemas.target_group import RUN_TABLES
from tests.release.additive import target_group
from tests.release.fixtures import table_of
from tests.release.test_land import board, write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WANTED = "KOPPEL_REQUIRE_CHROMIUM" in os.environ
pytestmark = pytest.mark.skipif(CHROMIUM is None and not WANTED, reason="no Chromium here")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-extensions")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release's page of two half-years, with a land-area map beside the map of tiles."""
    table = target_group(mean=12)
    kept = [n if n >= 10 else None for n in table["aantal"].to_pylist()]
    protected = Protected(shown_table(table, pa.array(kept, pa.int64())))
    funnel = table_of(RUN_TABLES["funnel"], [("injus", 0, "received", 1000), ("injus", 1, "linked", 900)])
    words = Words("Synthetische gegevens.", "te klein.", "exact.", "te klein", synthetic=True)
    out = tmp_path_factory.mktemp("page")
    borders = land.read(write(out / "grenzen.geojson", board()))
    made = write_page(protected, funnel, out, {"release": "r1"}, words=words, land=borders)
    assert "ware oppervlakte" in made.read_text(encoding="utf-8")
    return made


def ask(page: Path, script: str, tmp_path: Path, place: str = "") -> Any:
    """Open the page (at a place) and return what `script` gives told(answer): a line that the browser logs.

    Real time, and the browser ends as soon as it told: with --virtual-time-budget it may not end at all.
    """
    tell = 'const told = (x) => console.log("TOLD" + encodeURIComponent(JSON.stringify(x)));'
    copy = tmp_path / "page.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", f"<script>{tell}{script}</script></body>"), encoding="utf-8")
    where = (f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", "--enable-logging=stderr")
    command = [str(CHROMIUM), *QUIET, *where, copy.as_uri() + place]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as browser:
        late = threading.Timer(240, browser.kill)
        late.start()
        try:
            assert browser.stderr is not None
            found = next((one for line in browser.stderr if (one := re.search(r'"TOLD([^"]*)"', line))), None)
        finally:
            late.cancel()
            browser.kill()
    assert found is not None
    return json.loads(unquote(found[1]))


@pytest.mark.parametrize("place", ["", "#b-0106"])
def test_axe_finds_nothing_against_wcag_aa(page: Path, tmp_path: Path, place: str) -> None:
    """The page as it opens, and with the sheet of a municipality open."""
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8").replace("</script>", "<\\/script>")
    part = f"document.querySelector('{place}')" if place else "document"
    run = (
        f"{axe};addEventListener('load', () => "
        f"axe.run({part}, {{runOnly: {json.dumps(TAGS)}, resultTypes: ['violations']}})"
        ".then((r) => told({passed: r.passes.length, found: r.violations.map((v) => [v.id, v.nodes.length])})))"
    )
    told = ask(page, run, tmp_path, place)
    assert told["passed"] > (5 if place else 10)
    assert told["found"] == []


def test_typing_leaves_one_municipality_and_a_heading_sorts(page: Path, tmp_path: Path) -> None:
    script = """
const table = document.querySelector("[data-zoek=zoek-gemeente]"), box = document.querySelector("#zoek-gemeente input");
const visible = () => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[1].textContent);
box.value = "sudwest"; box.dispatchEvent(new Event("input")); const one = visible();
box.value = ""; box.dispatchEvent(new Event("input"));
const head = table.tHead.rows[0].cells[2]; head.querySelector("button").click(); head.querySelector("button").click();
const highest = table.tBodies[0].rows[0].cells[2].textContent;
told({one, sort: head.getAttribute("aria-sort"), highest, all: visible().length});
"""
    told = ask(page, script, tmp_path)
    assert told["one"] == ["Súdwest-Fryslân"]
    assert told["sort"] == "descending" and told["highest"] != "\u00d7" and told["all"] >= 342


def test_a_name_opens_its_sheet_and_a_link_does_so_without_a_script(page: Path, tmp_path: Path) -> None:
    script = """
const open = () => [...document.querySelectorAll(".blad")].filter((b) => getComputedStyle(b).display !== "none");
const names = () => open().map((b) => b.querySelector("h3").textContent);
addEventListener("load", () => setTimeout(() => {
const before = names(), box = document.querySelector("#zoek-blad input");
const type = (text) => { box.value = text; box.dispatchEvent(new Event("change")); };
type("sudwest"); const one = names();
type("'s-gravenhage"); const other = names();
type("berg"); told({before, one, other, many: document.querySelector("#zoek-blad output").textContent});
}, 100));
"""
    told = ask(page, script, tmp_path, "#b-0106")
    assert told["before"] == ["Assen"]  # the address alone did that
    assert (told["one"], told["other"]) == (["Súdwest-Fryslân"], ["'s-Gravenhage"])
    assert told["many"].endswith("gemeenten met deze letters")


def test_a_sheet_prints_on_one_page_of_a4(page: Path, tmp_path: Path) -> None:
    made = tmp_path / "sheet.pdf"
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={made}"]
    subprocess.run([*command, page.as_uri() + "#b-0106"], capture_output=True, check=True, timeout=240)
    pages = re.findall(rb"/Type\s*/Page\b[^s].*?/MediaBox\s*\[([^\]]*)\]", made.read_bytes(), re.S)
    assert len(pages) == 1
    width, height = (float(n) for n in pages[0].split()[2:])
    assert abs(width - 595) < 2 and abs(height - 842) < 2
