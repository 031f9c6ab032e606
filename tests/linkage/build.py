"""Write store folders from plain rows, so that a test can say "given these rows, expect these rows".

`write_deliveries(tmp_path, {"ifzo": [{"skn": "p1", "titel_eind": "2022-03-01"}]})` makes what the TTP's store
holds after intake. Identifiers and record keys are short labels (`bsn="a"`): a pseudonym is the SHA-256 of
type and label. Columns that a row leaves out get the default of `DEFAULTS`, else they are empty. A register in
which a row has a name, initials, birth date or postcode is delivered with fallback keys.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linkage.link import Delivery
from pseudonymize.fallback import derive
from schemas import ddl
from schemas.column import Role
from schemas.common import FALLBACK_KEYS
from schemas.linked import LINKED_TABLES
from schemas.pseudonym import Domain, mirrored
from schemas.registers import REGISTERS

Row = dict[str, Any]
Coverage = Mapping[str, Iterable[str]]
ID_COLUMNS = ("bsn", "skn", "vip")
PARTS = ("geboortenaam", "voorletters", "geboortedatum", "postcode")

# Columns the agreements drop at the source: never in a payload.
DROPPED = {
    "melding_id",
    "verzoek_id",
    "plaatsingsbesluitnummer",
    "zorgaanbieder_agb",
    "inrichting_code",
    "kliniek_code",
    "type_aanbieder",
    "uitkomst_verzoek",
}

DEFAULTS: dict[str, Row] = {
    "injus": {"soort_melding": "BEGIN_DETENTIE", "sector": "GW", "detentie_id": "d1", "verblijfstitel": "PREVENTIEF"},
    "injus_tbs": {"tbs_id": "t1", "gebeurtenis": "EERSTE_OPNAME"},
    "reclassering": {
        "organisatie": "RN",
        "fase": "TOEZICHT",
        "indicatie_id": "i1",
        "indicerende_instantie": "3RO",
        "soort_plaatsing": "AMBULANT",
        "arrondissement": "ROTTERDAM",
    },
    "ifzo": {
        "plaatsing_id": "pl1",
        "indicatiesteller": "3RO",
        "plaatsende_instantie": "3RO",
        "zorgtype": "AMB_BEH",
        "titel_code": "FZT08",
        "titel_eind_status": "DEFINITIEF",
        "status": "BEEINDIGD",
    },
    "gmsd": {
        "verslagperiode": "2022H1",
        "gemeentecode": "0363",
        "productcategorie": "02",
        "leveringsvorm": "ZIN",
        "publicatie_toestemming": True,
    },
    "crosswalk": {},
}


LINK = Domain("v1", "test", "link", "epoch-1")


def labelled(table: pa.Table) -> pa.Table:
    """The table with the labels of its columns repeated for the file, as the converter writes it."""
    return table.replace_schema_metadata(mirrored(table.schema).metadata)


def pseudonym(kind: str, label: str) -> bytes:
    """32 bytes for a label; another kind gives other bytes."""
    return hashlib.sha256(f"{kind}:{label}".encode()).digest()


def write_deliveries(
    folder: Path,
    rows: Mapping[str | tuple[str, int], Sequence[Row]],
    coverage: Coverage | Mapping[int, Coverage] | None = None,
    *,
    status: str = "definitief",
    out_of_scope: Sequence[Row] = (),
    seed: int = 0,
) -> list[Delivery]:
    """Write `folder/<register>/<sequence>/` for every key of `rows` (a register, or (register, sequence)).

    `coverage` is {half-year: municipalities} for gmsd delivery 1, or {sequence: {half-year: municipalities}};
    left out, it is what the rows hold. `out_of_scope` goes into the injus manifest ({reason, year, kind, n}).
    `seed` draws row ids and the order of both files: no result may depend on it.
    """
    rng = random.Random(seed)
    made = []
    for key, given in rows.items():
        register, sequence = (key, 1) if isinstance(key, str) else key
        target = folder / register / f"{sequence:04d}"
        target.mkdir(parents=True)
        full = [{**DEFAULTS[register], **row} for row in given]
        ids = [rng.randbytes(16) for _ in full]
        _write_link(target, full, ids, rng)
        if register != "crosswalk":
            _write_payload(target, register, full, ids, rng)
        covered = _coverage_of(coverage, sequence, full) if register == "gmsd" else None
        aside = list(out_of_scope) if register == "injus" else []
        _write_manifest(target, register, sequence, len(full), covered, status, aside)
        made.append(Delivery(register, sequence, target))
    return made


def _write_link(target: Path, rows: list[Row], ids: list[bytes], rng: random.Random) -> None:
    order = rng.sample(range(len(rows)), len(rows))
    keyed = any(name in row for row in rows for name in PARTS)
    names = (*ID_COLUMNS, *FALLBACK_KEYS) if keyed else ID_COLUMNS
    told = [{**row, **keys} for row, keys in zip(rows, keys_of(rows), strict=True)] if keyed else rows
    cells = {name: [_pseudonym_of(name, told[i]) for i in order] for name in names}
    table = pa.table({"row_id": [ids[i] for i in order], **cells}, schema=ddl.identity_schema(LINK, fallback=keyed))
    pq.write_table(labelled(table), target / "link.parquet")


def keys_of(rows: Sequence[Row]) -> list[Row]:
    """The fallback keys that the supplier tool makes of a row's name, initials, birth date, postcode and sex."""
    names = (*PARTS, "geslacht")
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    keys = derive(table).keys
    return [
        dict(zip(keys, values, strict=True)) for values in zip(*(k.to_pylist() for k in keys.values()), strict=True)
    ]


def _pseudonym_of(name: str, row: Row) -> bytes | None:
    label = row.get(name)
    return None if label is None else pseudonym(name, str(label))


def _write_payload(target: Path, register: str, rows: list[Row], ids: list[bytes], rng: random.Random) -> None:
    kept = tuple(c.name for c in REGISTERS[register].payload_columns if c.name not in DROPPED)
    schema = ddl.payload_schema(REGISTERS[register], kept)
    order = rng.sample(range(len(rows)), len(rows))
    cells: dict[str, list[Any]] = {"row_id": [ids[i] for i in order]}
    for name in schema.names[1:]:
        cells[name] = [_cell(register, name, rows[i].get(name)) for i in order]
    pq.write_table(labelled(pa.table(cells, schema=schema)), target / "payload.parquet")


def _cell(register: str, name: str, value: Any) -> Any:
    column = REGISTERS[register].by_name[name]
    if value is None:
        return None
    if column.role is Role.RECORD_KEY:
        return pseudonym(f"{register}.{name}", str(value))[:16]
    if column.kind.arrow == pa.date32() and isinstance(value, str):
        return dt.date.fromisoformat(value)
    return value


def _coverage_of(
    coverage: Coverage | Mapping[int, Coverage] | None, sequence: int, rows: list[Row]
) -> dict[str, list[str]]:
    if coverage is None:
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row["verslagperiode"], set()).add(row["gemeentecode"])
        return {period: sorted(codes) for period, codes in sorted(found.items())}
    chosen: Any = coverage.get(sequence, {}) if any(isinstance(key, int) for key in coverage) else coverage  # type: ignore[call-overload]
    return {period: sorted(codes) for period, codes in sorted(chosen.items())}


def _write_manifest(  # noqa: PLR0917
    target: Path,
    register: str,
    sequence: int,
    accepted: int,
    covered: dict[str, list[str]] | None,
    status: str,
    aside: list[Row],
) -> None:
    outside = sum(int(row["n"]) for row in aside)
    manifest: dict[str, Any] = {
        "format": "koppelpunt/delivery/1",
        "register": register,
        "sequence": sequence,
        "rows": {"in": accepted + outside, "accepted": accepted, "quarantined": 0, "out_of_scope": outside},
        "reasons": {},
        "out_of_scope": aside,
        "identifiers": {},
    }
    if covered is not None:
        manifest["coverage"] = {p: {"status": status, "gemeenten": codes} for p, codes in covered.items()}
    (target / "manifest.json").write_text(json.dumps(manifest, sort_keys=True), encoding="utf-8")


def hash_of(folder: Path) -> str:
    """One hash over every row of every linked table, sorted."""
    digest = hashlib.sha256()
    for name in LINKED_TABLES:
        read = pq.read_table(folder / f"{name}.parquet")
        rows = sorted(map(repr, zip(*(column.to_pylist() for column in read.columns), strict=True)))
        digest.update("\n".join([name, *rows]).encode())
    return digest.hexdigest()
