"""The `koppel` command. Signature = interface, docstring = help; every verb has --json and the exit codes of errors."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from flows import report
from flows.report import Mode, Reporter
from flows.safe import guarded
from flows.verbs import audit, blind, retain
from flows.verbs import keys as key_verbs
from flows.verbs.access import access
from flows.verbs.audit_tables import app as audit_tables_app
from flows.verbs.estimate import estimate
from flows.verbs.metrics import metrics
from flows.verbs.plan import plan_app
from flows.verbs.reconcile import reconcile
from flows.verbs.release import app as release_app
from flows.verbs.reproduce import reproduce
from flows.verbs.scan import scan
from flows.verbs.serve import serve
from flows.verbs.status import status
from schemas.errors import KoppelError

app = App(
    name="koppel",
    help="Link registers about vulnerable people without anyone learning who they are.",
    version=lambda: metadata.version("koppelpunt"),
)
synthetic_app = App(name="synthetic", help="A synthetic Netherlands, calibrated on published figures.")
app.command(scan)
app.command(synthetic_app)
app.command(plan_app)
app.command(reconcile)
app.command(reproduce)
app.command(key_verbs.app)
app.command(audit.app)
app.command(blind.app)
app.command(audit_tables_app)
app.command(release_app)
app.command(retain.retain)
app.command(status)
app.command(estimate)
app.command(serve)
app.command(metrics)
app.command(access)

Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool, Parameter(name="--quiet", help="Show no progress.")]
Config = Annotated[
    Path | None, Parameter(name="--config", help="Settings file; default KOPPEL_CONFIG or ./koppel.toml.")
]
out = Console(highlight=False, soft_wrap=True)


def _progress(as_json: bool, quiet: bool) -> Reporter:
    return report.use(Reporter(Mode.QUIET if quiet else Mode.JSON if as_json else Mode.TEXT))


def _plain(answer: object) -> None:
    """One line of JSON, without colours or wrapping."""
    sys.stdout.write(json.dumps(answer) + "\n")


def _show(answer: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        _plain(answer)
        return
    table = Table("", "", title=title, title_justify="left", show_header=False, box=None)
    for name, value in answer.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    out.print(table)


@app.command
def demo(
    *,
    out_folder: Annotated[Path, Parameter(name="--out")] = Path("demo"),
    scale: float = 1.0,
    seed: int = 2024,
    direct: bool = False,
    fallback: bool = False,
    port: int = 4299,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Link a synthetic Netherlands, from extracts to the deliverables of every reader.

    Parameters
    ----------
    out_folder
        Where everything goes; an earlier demo there is replaced.
    scale
        1 is the whole country, 0.01 a village.
    seed
        Another seed, another country.
    direct
        Run the same steps without a Prefect server.
    fallback
        Some people are without a number, and are linked by keys of name, birth date and postcode.
    port
        Port of the embedded Prefect server, on loopback.
    """
    from flows import demo as room  # noqa: PLC0415 - keeps `koppel check` fast
    from flows import running  # noqa: PLC0415

    reporter = _progress(as_json, quiet)
    reporter.title("Suppliers")
    settings = room.prepare(out_folder, port=port, scale=scale, fallback=fallback)
    with running.server_for(settings, direct=direct) as server:  # starts while the suppliers work
        room.make_country(out_folder, scale=scale, seed=seed, names=fallback)
        room.suppliers_deliver(settings, out_folder)
        reporter.title("Trusted third party")
        running.run_on(out_folder / "koppel.toml", server)
    _show(room.summary(out_folder), as_json, "Look at")


@app.command
def run(
    *,
    direct: bool = False,
    engine: Literal["duckdb", "sail", "spark"] | None = None,
    config: Config = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take in what was delivered, link, publish and check; steps whose inputs and code are unchanged are not redone.

    Parameters
    ----------
    direct
        Run the steps without Prefect; the output is the same to the byte.
    engine
        What computes trajectories and events; default the settings' `engine`. The output is the same to the byte.
    """
    from flows import running  # noqa: PLC0415
    from flows import settings as room  # noqa: PLC0415

    _progress(as_json, quiet)
    room.give(engine=engine)
    done = running.run(config, direct=direct)
    _show({"fingerprint": done.fingerprint[:12], **done.facts}, as_json, "Done")


@app.command
def check(
    file: Path,
    *,
    register: str | None = None,
    agreement: Path | None = None,
    synthetic: bool = False,
    quarantine: Path | None = None,
    as_json: Json = False,
) -> None:
    """Validate an extract; nothing is delivered and no value is shown. Exit code 0 also when rows are rejected.

    Parameters
    ----------
    file
        The extract: CSV, Parquet or XLSX.
    register
        injus, injus_tbs, reclassering, ifzo, gmsd or crosswalk; not needed with an agreement.
    agreement
        The agreement (YAML) the delivery will fall under: judges exactly as `koppel deliver` will.
    synthetic
        Without an agreement: judge numbers as synthetic ones (NL:BSN-SYN).
    quarantine
        Also write the row numbers to look at, with reasons and no values, to this new CSV file.
    """
    from pseudonymize import commands  # noqa: PLC0415

    _tell(commands.check(file, register, agreement, synthetic, quarantine), as_json)


@app.command
def deliver(
    file: Path,
    *,
    agreement: Path,
    keys: Path,
    public: Path,
    sequence: int,
    out_folder: Annotated[Path, Parameter(name="--out")],
    coverage: Path | None = None,
    receipt: Path | None = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a sealed, signed delivery from an extract (for suppliers, and for the gateway).

    Parameters
    ----------
    file
        The extract: CSV, Parquet or XLSX.
    agreement
        The agreement (YAML) this delivery falls under.
    keys
        Your own key folder.
    public
        Folder with the public keys of the TTP.
    sequence
        Your number of this delivery: one more than the last.
    out_folder
        Empty folder for the delivery and the local report.
    coverage
        GMSD only: which municipalities delivered which half-year, and its status.
    receipt
        Folder of the receipt of your last delivery: signing this delivery countersigns the audit head in it.
    """
    from flows import rooms  # noqa: PLC0415 - a process of its own: less memory, and nothing else in it
    from flows.verbs.answers import words  # noqa: PLC0415

    reporter, what = _progress(as_json, quiet), f"deliver {sequence}"
    told = {"source": file, "agreement": agreement, "keys": keys, "public": public, "sequence": sequence}
    told |= {"out": out_folder, "coverage": coverage, "receipt": receipt, "progress": True}
    with reporter.doing(what) as counts:
        made = rooms.watched(lambda *far: reporter.rows(what, *far), "deliver", *words(told))
        counts["rows"] = made["rows"]["in"]
    text = made.pop("text")
    if as_json:
        _plain(made)
        return
    out.print(text)


def _tell(found: Any, as_json: bool) -> None:
    if as_json:
        _plain(found.as_dict())
        return
    out.print(found.text())


@synthetic_app.command
def make(
    out_folder: Annotated[Path, Parameter(name="--out")], *, scale: float = 1.0, seed: int = 2024, as_json: Json = False
) -> None:
    """Make the extracts of a synthetic country, their agreements, and the truth apart.

    Parameters
    ----------
    out_folder
        Where extracts/, agreements/ and truth/ go.
    scale
        1 is the whole country.
    seed
        Another seed, another country.
    """
    from synthetic import country  # noqa: PLC0415

    made = country.make(out_folder, scale=scale, seed=seed)
    for source in sorted((Path(country.__file__).parent / "agreements").glob("*.yaml")):
        target = out_folder / "agreements" / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(source.read_bytes())
    _show({"rows": made.rows, "persons": made.persons}, as_json, "Made")


@synthetic_app.command(name="report")
def synthetic_report(folder: Path, *, as_json: Json = False) -> None:
    """Published figures against the synthetic country's, side by side.

    Parameters
    ----------
    folder
        A folder made by `koppel synthetic make` (or demo/land).
    """
    from synthetic import report as room  # noqa: PLC0415

    rows = room.compare(folder)
    if as_json:
        _plain(room.as_dicts(rows))
        return
    out.print(room.text(rows), markup=False)


@app.command
def codebook(*, write: Path | None = None) -> None:
    """List the registers, or write the codebook pages.

    Parameters
    ----------
    write
        The project's docs folder: writes codebook/ and cli.md there.
    """
    from schemas import codebook as room  # noqa: PLC0415
    from schemas.registers import REGISTERS  # noqa: PLC0415

    if write is None:
        _show({name: register.title for name, register in REGISTERS.items()}, False, "Registers")
        return
    (write / "cli.md").write_text(reference(), encoding="utf-8")
    _show({"pages": len(room.write(write / "codebook")) + 1}, False, "Written")


_ROOT_USAGE = "```console\nkoppel COMMAND\n```\n\n"


def reference() -> str:
    """Every command and option as Markdown: docs/cli.md, which a test keeps current.

    cyclopts shows the root's usage only when no command is running, so it is left out always.
    """
    pages = app.generate_docs(output_format="markdown").replace(_ROOT_USAGE, "", 1)
    return "<!-- Made by `koppel codebook --write docs`; do not edit. -->\n" + pages


def main() -> None:
    """Run the command; an error is one line without data, and its branch is the exit code."""
    try:
        guarded(app)()
    except KoppelError as error:
        Console(stderr=True, highlight=False).print(f"koppel: {error}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
