"""The inputs of a run of earlier: found, held beside the hashes of then, and laid out in a folder of their own.

Texts of agreements are found by hash, in `agreements/` or `agreements/earlier/`. A delivery comes from the store, or is
converted and opened again from its sealed form. Either way the signed log says what those files were.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from flows import manifest, quality, released, resume, rooms
from flows.released import Released
from flows.settings import Settings
from flows.steps import log
from schemas.errors import ConfigError, DeliveryError

FILES = {"link.parquet": "converted", "payload.parquet": "opened"}  # file of the store -> event that tells its hash
Said = dict[tuple[str, str, int], str]  # event, register, sequence -> hash


def scratch(settings: Settings) -> Path:
    """Where the steps run again: among the runs, so that retention and the linker's fence count for it too."""
    return settings.home / "runs" / "reproduce"


def clean(settings: Settings) -> None:
    """Remove what was made again; also what a reproduction left that was killed."""
    shutil.rmtree(scratch(settings), ignore_errors=True)


def laid_out(settings: Settings, kept: Released, home: Path, *, sealed: bool) -> Settings:
    """Settings of then over a new home with the texts and deliveries of then.

    ConfigError text_gone, other_input; DeliveryError input_gone, input_differs; QualityGate audit_broken.
    """
    again = _of_then(settings, kept, home)
    _require_files(again, kept)
    _texts(settings, kept, again)
    quality.require_sound_log(settings)
    said = _said(log(settings).path)
    for one in kept.run["inputs"]:
        _delivery(settings, again, one, said, sealed=sealed)
    _computed(again, kept)
    return again


def _computed(again: Settings, kept: Released) -> None:
    """Which code converted it then, told as it was then: the bytes are compared whichever code makes them again."""
    for one in kept.run.get("computed", ()):
        place = again.store / str(one["register"]) / f"{one['sequence']:04d}" / manifest.COMPUTED
        place.unlink(missing_ok=True)  # a second name of the file in the store
        if "converter" in one:
            resume.write_json(place, one["converter"])


def _of_then(settings: Settings, kept: Released, home: Path) -> Settings:
    """What decides about bytes as it was then; the machine (memory, threads, engine) as it is now."""
    run = kept.run
    told = {"period": run["period"], "release": run["release"], "recipient": run["recipient"]}
    told |= {name: run["estimation"][name] for name in ("seed", "draws", "full_bayes")}
    told["recapture_gmsd"] = run["estimation"].get("recapture_gmsd", False)  # a choice that runs before it did not have
    return settings.model_copy(update={"home": home, "agreements": home / "agreements", **told})


def _require_files(again: Settings, kept: Released) -> None:
    """ConfigError other_input for the clerical sample or the planted truth."""
    if manifest.sample(again) != kept.run["estimation"]["sample"]:
        raise ConfigError("other_input", kind="clerical")
    if released.truth_of(again) != kept.truth:
        raise ConfigError("other_input", kind="truth")


def _texts(settings: Settings, kept: Released, again: Settings) -> None:
    """Agreements in force then, and what the recipient was to get. ConfigError text_gone, with whose."""
    known = {resume.sha256_file(path): path for path in sorted(settings.agreements.rglob("*.yaml"))}
    wanted = {f"{register}.yaml": str(told["sha256"]) for register, told in kept.run["agreements"].items()}
    wanted[f"outputs/{again.recipient}.yaml"] = str(kept.run["output"])
    for name, text in wanted.items():
        if text not in known:
            raise ConfigError("text_gone", file=name)
        target = again.agreements / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(known[text], target)


def _said(path: Path) -> Said:
    """What the log says was made of each delivery; the last word counts."""
    found: Said = {}
    with path.open(encoding="ascii") as lines:
        for line in lines:
            if '"event":"converted"' in line or '"event":"opened"' in line:
                told = json.loads(line)
                found[told["event"], told["register"], told["sequence"]] = told["sha256"]
    return found


def _delivery(settings: Settings, again: Settings, one: dict[str, Any], said: Said, *, sealed: bool) -> None:
    """One delivery as it lay in the store. DeliveryError input_gone or input_differs."""
    register, sequence = str(one["register"]), int(one["sequence"])
    number = f"{register}/{sequence:04d}"
    about = {"register": register, "sequence": sequence}
    stored, target = settings.store / number, again.store / number
    if stored.is_dir() and not sealed:
        shutil.copytree(stored, target, copy_function=_linked)
    elif (settings.inbox / number).is_dir():
        _require_manifest(settings.inbox / number, one, about)
        _reopened(settings, settings.inbox / number, target, str(one["agreement"]["sha256"]))
    else:
        raise DeliveryError("input_gone", **about)
    _require_manifest(target, one, about)
    for name, event in FILES.items():
        now = resume.sha256_file(target / name) if (target / name).is_file() else None
        if now != said.get((event, register, sequence)):
            raise DeliveryError("input_gone" if now is None else "input_differs", file=name, **about)


def _linked(source: str, target: str) -> None:
    """The same file under a second name; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _require_manifest(folder: Path, one: dict[str, Any], about: dict[str, Any]) -> None:
    path = folder / "manifest.json"
    if not path.is_file():
        raise DeliveryError("input_gone", file="manifest.json", **about)
    if resume.sha256_file(path) != one["manifest_sha256"]:
        raise DeliveryError("input_differs", file="manifest.json", **about)


def _reopened(settings: Settings, delivery: Path, target: Path, text: str) -> None:
    """Convert and open a sealed delivery again, each in a process that checks the hashes of its manifest."""
    target.mkdir(parents=True, mode=0o700)
    keys = settings.keys
    rooms.pseudonymize(
        *("convert", "--delivery", delivery, "--keys", keys / "converter", "--out", target / "link.parquet")
    )
    if (delivery / "payload.age").is_file():
        agreement = next(path for path in settings.agreements.rglob("*.yaml") if resume.sha256_file(path) == text)
        rooms.pseudonymize(
            *("open", "--delivery", delivery, "--keys", keys / "linker", "--agreement", agreement),
            *("--out", target / "payload.parquet"),
        )
    shutil.copyfile(delivery / "manifest.json", target / "manifest.json")
