"""`koppel blind`: pre-pseudonyms with the help of an evaluator, by files carried by hand; docs/blind.md."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows import report, rooms
from flows.report import Mode, Reporter
from flows.verbs.answers import Json, show, words
from flows.verbs.recorded import Config, do, log_of, recorded
from schemas.errors import Fact

app = App(name="blind", help="Blind mode: the sources share no secret; an evaluator helps, and sees no number.")

Agreement = Annotated[Path, Parameter(name="--agreement", help="The agreement (YAML) the delivery falls under.")]
OwnKeys = Annotated[Path, Parameter(name="--keys", help="Your own key folder.")]
Public = Annotated[Path, Parameter(name="--public", help="Folder with the public keys of the TTP (public.json).")]
Evaluator = Annotated[Path, Parameter(name="--evaluator", help="Folder with the evaluator's evaluator.json.")]
State = Annotated[Path, Parameter(name="--state", help="Private file that stays with you until the answer is in.")]
Sequence = Annotated[int, Parameter(name="--sequence", help="Your number of this delivery: one more than the last.")]
Out = Annotated[Path, Parameter(name="--out", help="New folder.")]
Hybrid = Annotated[bool, Parameter(name="--hybrid", help="A+B: over K_S's value, so that both must be undone.")]
Options = dict[str, object]
Quiet = Annotated[bool, Parameter(name="--quiet", help="Show no progress.")]


@app.command
def evaluator(home: Path, *, project: str, epoch: str, config: Config = None, as_json: Json = False) -> None:
    """Step 0, the evaluator, once per project and epoch: make its keys, and public/evaluator.json to hand out.

    Parameters
    ----------
    home
        New folder. The evaluator is neither a source nor the TTP's converter.
    project
        Name of the project.
    epoch
        Epoch of the agreements.
    """
    do("evaluator_made", config, "Evaluator", as_json, "evaluator", home=home, project=project, epoch=epoch)


@app.command
def adopt(
    *,
    public: Public,
    evaluator: Evaluator,
    out_folder: Out,
    hybrid: Hybrid = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 0, the TTP, once: public keys of a project that works blind from now on. Hand them to the sources."""
    told: Options = {"public": public, "evaluator": evaluator, "out": out_folder, "hybrid": hybrid}
    do("evaluator_adopted", config, "Adopted", as_json, "blind-adopt", **told)


@app.command(name="ask")
def ask_for(
    file: Path,
    *,
    agreement: Agreement,
    keys: OwnKeys,
    evaluator: Evaluator,
    state: State,
    sequence: Sequence,
    out_folder: Out,
    hybrid: Hybrid = False,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 1, a source: validate the extract and make a request of blinded points for the evaluator.

    Parameters
    ----------
    file
        The extract: CSV, Parquet or XLSX. Keep it as it is until the answer is in.
    """
    told: Options = {
        "source": file,
        "agreement": agreement,
        "keys": keys,
        "evaluator": evaluator,
        "state": state,
    }
    told |= {"sequence": sequence, "out": out_folder, "hybrid": hybrid}
    show(_watched("blind_asked", config, "blind", as_json, quiet, told), as_json, "Request")


@app.command
def answer(
    request: Path,
    *,
    keys: OwnKeys,
    public: Public,
    out_folder: Out,
    quota: int | None = None,
    total: int | None = None,
    ledger: Path | None = None,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 2, the evaluator: answer a signed request, with one proof of correct key use per 16,384 points.

    Parameters
    ----------
    request
        The folder the source sent.
    quota
        Most points in one request; default 5,000,000.
    total
        Most points of one source in all its requests together; default 20,000,000. Needs the ledger.
    ledger
        File that remembers what was asked: a request asked twice, or out of order, is refused.
    """
    told: Options = {
        "request": request,
        "keys": keys,
        "public": public,
        "out": out_folder,
        "quota": quota,
        "total": total,
        "ledger": ledger,
    }
    show(_watched("blind_answered", config, "evaluate", as_json, quiet, told), as_json, "Answer")


@app.command
def deliver(
    file: Path,
    *,
    agreement: Agreement,
    keys: OwnKeys,
    public: Public,
    evaluator: Evaluator,
    answer: Annotated[Path, Parameter(name="--answer", help="The folder the evaluator sent back.")],
    state: State,
    sequence: Sequence,
    out_folder: Out,
    hybrid: Hybrid = False,
    coverage: Path | None = None,
    period_from: Annotated[dt.date | None, Parameter(name="--from", help="First day; default the agreement's.")] = None,
    period_until: Annotated[
        dt.date | None, Parameter(name="--until", help="Last day; default the agreement's.")
    ] = None,
    quiet: Quiet = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Step 3, a source: check the proofs, unblind, and deliver as `koppel deliver` does. The state file goes then.

    Parameters
    ----------
    file
        The same extract.
    coverage
        GMSD only: which municipalities delivered which half-year, and its status.
    """
    told: Options = {
        "source": file,
        "agreement": agreement,
        "keys": keys,
        "public": public,
        "evaluator": evaluator,
    }
    told |= {"answer": answer, "state": state, "sequence": sequence, "out": out_folder, "hybrid": hybrid}
    told |= {"coverage": coverage, "from": period_from, "until": period_until}
    made = _watched("blind_delivered", config, "deliver-blind", as_json, quiet, told)
    text = made.pop("text")
    if as_json:
        show(made, as_json, "Delivery")
        return
    sys.stdout.write(f"{text}\n")


def _watched(  # noqa: PLR0917 - which event and log, which verb, how it is shown, and its options
    event: str, config: Path | None, verb: str, as_json: bool, quiet: bool, told: Options
) -> dict[str, Any]:
    """Run a verb in its process, with progress, and an event before and after where there is a log."""
    what = f"deliver {told['sequence']}" if verb == "deliver-blind" else verb
    reporter = report.use(Reporter(Mode.QUIET if quiet else Mode.JSON if as_json else Mode.TEXT))

    def call() -> dict[str, Any]:
        with reporter.doing(what) as counts:
            made = rooms.watched(lambda *far: reporter.rows(what, *far), verb, *words({**told, "progress": True}))
            counts["rows"] = made["rows"]["in"] if "rows" in made else made["elements"]
        return made

    return recorded(event, log_of(config), verb, call, _facts)


def _facts(answer: dict[str, Any]) -> dict[str, Fact]:
    """Of a request or an answer how many points, of a delivery its rows and its manifest; no point and no number."""
    if "rows" not in answer:
        return {"items": answer["elements"], **{n: answer[n] for n in ("sequence",) if n in answer}}
    rows = answer["rows"]
    about = {"register": answer["register"], "sequence": answer["sequence"], "manifest": answer["manifest_sha256"]}
    return {**about, "rows": rows["in"], "accepted": rows["accepted"], "quarantined": rows["quarantined"]}
