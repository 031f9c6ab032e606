"""Run steps of a TTP under one account each: a script for root, in a mount namespace of its own.

A plan on standard input, what every account did and could read on standard output. One process has loaded what the
steps need; per entry of the plan a child gives up root for good, does its calls, then tries to read whatever anybody
has. Accounts are unused numbers: none is made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from estimation import estimate as estimation
from linkage.link import Delivery
from linkage.link import link as link_deliveries
from linkage.plan import Plan
from pseudonymize import accept, audit, cli, commands, convert, deliver, ledger, parties, payload, seal
from release import gate, publish
from schemas.research import load as load_output

LOADED = (accept, audit, commands, convert, deliver, ledger, parties, payload, seal)  # a child may not reach the files
PRIVATE = ("person_link", "register_links", "fallback_links")  # with the linked tables: rows about persons


def _link(store: str, out: str, work: str) -> int:
    folders = sorted(Path(store).glob("*/[0-9][0-9][0-9][0-9]"))
    found = [Delivery(folder.parent.name, int(folder.name), folder) for folder in folders]
    Path(out).mkdir(mode=0o700)
    made = link_deliveries(found, Path(out), plan=Plan(), work=Path(work), memory_limit="1GB", threads=1)
    return int(made.facts()["rows"])


def _estimate(linked: str, out: str) -> int:
    Path(out).mkdir(mode=0o2750)
    return int(estimation.estimate(Path(linked), Path(out), estimation.Choices(draws=100))["estimates"])


def _hand_over(linked: str, out: str, *names: str) -> int:
    """What the next account may have, and no more."""
    Path(out).mkdir(mode=0o2750)
    for name in names:
        shutil.copyfile(Path(linked) / f"{name}.parquet", Path(out) / f"{name}.parquet")
    return len(names)


def _export(linked: str, pseudonyms: str, out: str, run: str, output: str) -> int:
    told, agreed = json.loads(run), load_output(Path(output))
    made = publish.export_research(
        Path(linked), Path(pseudonyms), Path(out), release_id=told["release"], run=told, output=agreed
    )
    return len(made)


def _operator(linked: str, out: str, run: str) -> int:
    return len(publish.publish_operator(Path(linked), Path(out), run=json.loads(run)))


def _publish(handed: str, out: str, run: str, output: str) -> int:
    told, given, folder = json.loads(run), Path(handed), Path(out)
    estimated = given / "estimated"
    publish.publish_vng(given / "counts", folder / "vng", release_id=told["release"], run=told, estimated=estimated)
    publish.publish_exported(given / "exported", folder / "onderzoek", output=load_output(Path(output)))
    (folder / "run.json").write_text(run, encoding="utf-8")
    files = gate.check_release(folder)
    gate.write_sums(folder)
    return files


def _pseudonymize(*arguments: str) -> int:
    code, answer = cli.run(list(arguments))
    if code:
        raise RuntimeError(str(answer))
    return code


CALLS: dict[str, Callable[..., int]] = {
    "pseudonymize": _pseudonymize,
    "link": _link,
    "estimate": _estimate,
    "hand over": _hand_over,
    "export": _export,
    "operator": _operator,
    "publish": _publish,
}


def _open_up(places: list[str], layer: Path) -> None:
    """Python may live in a home folder: opened in this mount namespace, on a layer of its own."""
    for number, place in enumerate(places):
        over = layer / str(number)
        over.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", over], check=True)
        for part in ("u", "w"):
            (over / part).mkdir()
        how = f"lowerdir={place},upperdir={over}/u,workdir={over}/w"
        subprocess.run(["mount", "-t", "overlay", "-o", how, "overlay", place], check=True)
        Path(place).chmod(0o755)


def _as_account(uid: int, group: int, calls: list[list[str]], files: list[str]) -> dict[str, Any]:
    os.setgroups([group])
    os.setresgid(group, group, group)
    os.setresuid(uid, uid, uid)
    os.umask(0o027)
    told: dict[str, Any] = {"done": [], "read": []}
    for name, *arguments in calls:
        try:
            told["done"].append([name, CALLS[name](*arguments)])
        except Exception as error:  # the test shows what it was
            told["done"].append([name, f"{type(error).__name__}: {error}"[:300]])
    for path in files:
        try:
            Path(path).read_bytes()
            told["read"].append(path)
        except PermissionError:
            pass
    return told


def _files(folders: list[str]) -> list[str]:
    return [str(path) for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()]


def main() -> None:
    """Do the plan, entry by entry."""
    plan = json.loads(sys.stdin.read())
    _open_up(plan["open"], Path(plan["layer"]))
    found = []
    for role, calls in plan["steps"]:
        every = {one: _files(folders) for one, folders in plan["folders"].items()}
        read, write = os.pipe()
        if os.fork() == 0:
            told = _as_account(plan["uids"][role], plan["group"], calls, [p for one in every.values() for p in one])
            own = set(_files(plan["folders"][role]))
            told |= {"role": role, "own": len(own), "others": sorted(set(told["read"]) - own)}
            told["missed"] = sorted(set(every[role]) - set(told.pop("read")))
            os.write(write, json.dumps(told).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answer:
            found.append(json.loads(answer.read()))
        os.wait()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
