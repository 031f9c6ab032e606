"""A bridge: old pseudonym -> new pseudonym of one domain, for as long as an overlap lasts, and no longer.

Made of two files that conversion wrote from one source, under the old and the new epoch: row by row the same
but for the pseudonyms. It is sealed to an age identity of its own; on expiry that identity is destroyed with a
certificate and the file erased. Its statement is signed: domains, rows, hash and last day cannot be changed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import clock, domain, keys, parquet, rotate, seal, statement
from pseudonymize.domain import Domain
from pseudonymize.keys import Key
from pseudonymize.parties import ConverterKeys, age_pair
from pseudonymize.prf import PSEUDONYM
from pseudonymize.private import erase, own_folder, write_private
from pseudonymize.shuffle import random_order
from pseudonymize.signing import public_half
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable

FORMAT = "koppelpunt/bridge/1"
STATEMENT, TABLE = "bridge.json", "bridge.age"
_FIELDS: dict[str, type] = {
    **{name: str for name in ("format", "id", "old", "new", "sha256", "until", "at")},
    "rows": int,
}


@dataclass(frozen=True)
class Bridge:
    """What a bridge's statement says."""

    id: str
    old: Domain
    new: Domain
    sha256: str
    until: dt.date
    rows: int


def make(old: Path, new: Path, converter: ConverterKeys, out: Path, until: dt.date) -> Bridge:
    """Pair the pseudonyms of two conversions of one source. Writes `out`/bridge.json and bridge.age.

    ConfigError bad_overlap (until), wrong_domain unless the files differ in epoch alone, bridge_mismatch when
    they are not of one source, or a pseudonym would have two partners; output_exists.
    """
    if not clock.today() <= until <= clock.today() + rotate.LONGEST_OVERLAP:
        raise ConfigError("bad_overlap")
    if out.exists() and any(out.iterdir()):
        raise ConfigError("output_exists")
    domains, pairs = _pairs(_table(old), _table(new))
    ident, sign = keys.new_id(), converter.sign()
    identity, recipient = age_pair()
    own_folder(out)
    shuffled = pairs.take(pa.array(random_order(pairs.num_rows)))
    digest = seal.seal(out / TABLE, recipient, shuffled.schema, [shuffled])
    one = domains[0]
    keys.save(_key_file(converter.folder, ident), Key(ident, "bridge", one.project, domains[1].epoch, ident, identity))
    content = {
        "format": FORMAT,
        "id": ident,
        "old": one.label,
        "new": domains[1].label,
        "sha256": digest,
        "until": until.isoformat(),
        "at": clock.now().isoformat(),
        "rows": pairs.num_rows,
    }
    write_private(out / STATEMENT, statement.make(content, sign.owner, sign.secret))
    return Bridge(ident, *domains, digest, until, pairs.num_rows)


def _table(path: Path) -> pa.Table:
    schema, tables = parquet.batches(path)
    return pa.concat_tables([schema.empty_table(), *tables])


def _pairs(old: pa.Table, new: pa.Table) -> tuple[tuple[Domain, Domain], pa.Table]:
    """Distinct (old, new) pseudonyms over every labelled column."""
    columns = domain.labelled(old.schema)
    same = [name for name in old.column_names if name not in columns]
    if old.column_names != new.column_names or old.num_rows != new.num_rows or not columns:
        raise ConfigError("bridge_mismatch")
    if any(not old[name].equals(new[name]) for name in same) or not same:
        raise ConfigError("bridge_mismatch")
    found = {(domain.of_field(old.schema, name), domain.of_field(new.schema, name)) for name in columns}
    if len(found) != 1:
        raise ConfigError("wrong_domain", found=f"{len(found)} pairs of domains")
    domains = found.pop()
    one, other = domains
    if (one.scheme, one.project, one.name) != (other.scheme, other.project, other.name) or one.epoch == other.epoch:
        raise ConfigError("wrong_domain", expected=one.told, found=other.told)
    parts = [_part(old[name], new[name]) for name in columns]
    pairs = pa.concat_tables(parts).group_by(["old", "new"]).aggregate([])
    if any(pc.count_distinct(pairs[name]).as_py() != pairs.num_rows for name in ("old", "new")):
        raise ConfigError("bridge_mismatch")
    return domains, pairs


def _part(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.Table:
    one, other = _bytes(old), _bytes(new)
    if not one.is_null().equals(other.is_null()):
        raise ConfigError("bridge_mismatch")
    return pa.table({"old": one.drop_null(), "new": other.drop_null()})


def _bytes(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of pseudonyms as plain bytes of one width. DeliveryError bad_schema when it is none."""
    try:
        return domain.storage(values).cast(pa.binary(PSEUDONYM))
    except pa.ArrowException:
        raise DeliveryError("bad_schema", column="pseudonym") from None


def read(folder: Path, converter: ConverterKeys) -> Bridge:
    """The bridge's statement, checked against the converter's own signing key. ConfigError bad_statement."""
    found = statement.read(folder / STATEMENT, _FIELDS)
    found.require_signed(public_half(converter.sign().secret))
    content = found.content
    if content["format"] != FORMAT:
        raise ConfigError("bad_statement")
    old, new = Domain.parse(content["old"]), Domain.parse(content["new"])
    until = dt.date.fromisoformat(content["until"])
    return Bridge(content["id"], old, new, content["sha256"], until, content["rows"])


def use(folder: Path, source: Path, converter: ConverterKeys, out: Path) -> dict[str, Any]:
    """Rewrite a Parquet file's pseudonyms of the old epoch as those of the new one.

    Rows whose pseudonym is not in the bridge are left out and counted: rows = converted + unmatched.
    KeyUnavailable bridge_expired (and it is deleted, with a certificate); DeliveryError bad_hash;
    ConfigError wrong_domain.
    """
    found = read(folder, converter)
    if clock.today() > found.until:
        if (folder / TABLE).exists() or _key_file(converter.folder, found.id).exists():
            expire(folder, converter)
        raise KeyUnavailable("bridge_expired", id=found.id)
    table = _table(source)
    columns = domain.labelled(table.schema)
    if len(columns) != 1:
        raise ConfigError("wrong_domain", found=f"{len(columns)} labelled columns")
    domain.require(table.schema, columns[0], found.old)
    pairs = _opened(folder, found, converter)
    place = pc.index_in(_bytes(table[columns[0]]), value_set=pairs["old"], skip_nulls=True)
    hit = table.filter(place.is_valid())
    field, position = found.new.field(columns[0], PSEUDONYM), table.schema.get_field_index(columns[0])
    made = pairs["new"].take(place.drop_null()).cast(field.type)
    target = table.schema.set(position, field).remove_metadata()
    with parquet.writing(out) as writer:
        writer.start(target, [columns[0]])
        writer.write(hit.set_column(position, field, made).cast(target))
    return {"rows": table.num_rows, "converted": hit.num_rows, "unmatched": table.num_rows - hit.num_rows}


def _opened(folder: Path, found: Bridge, converter: ConverterKeys) -> pa.Table:
    path = folder / TABLE
    if path.is_symlink() or not path.is_file() or seal.file_hash(path) != found.sha256:
        raise DeliveryError("bad_hash", file="other")
    key = keys.load(_key_file(converter.folder, found.id), "bridge")
    with seal.opened(path, key.secret) as reader:
        pairs = pa.Table.from_batches(list(reader), reader.schema)
    if pairs.num_rows != found.rows:
        raise DeliveryError("row_count_mismatch", declared=found.rows, read=pairs.num_rows)
    return pairs


def expire(folder: Path, converter: ConverterKeys, *, early: bool = False) -> tuple[Path, dict[str, Any]]:
    """Erase the table and destroy its identity, with a certificate; returns certificate and content.

    The statement stays: it says what there was. ConfigError bridge_valid before its last day has passed, unless
    `early`. Killed half-way, run it again.
    """
    found = read(folder, converter)
    if clock.today() <= found.until and not early:
        raise ConfigError("bridge_valid")
    erase(folder / TABLE)
    return rotate.destroy(converter.folder, "bridge", found.id, found.new.epoch, "expiry")


def _key_file(folder: Path, ident: str) -> Path:
    return folder / f"bridge-{ident}.key"
