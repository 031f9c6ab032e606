"""Domain conversion: the only functions that see two domains. No payload, no database, no identifier.

pre -> link under K_T, for as many rows and persons as the signed manifest declares (the quota) and not one more;
link -> recipient under that recipient's K_R. HMAC goes forward only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pseudonymize import canary, domain, fast, parquet, prf, seal
from pseudonymize.accept import read_verified, require_hash
from pseudonymize.ahead import ahead
from pseudonymize.columns import pseudonyms
from pseudonymize.domain import Domain
from pseudonymize.identify import COLUMNS
from pseudonymize.keys import Key
from pseudonymize.manifest import Manifest
from pseudonymize.parties import ConverterKeys
from pseudonymize.population import Converted
from pseudonymize.split import RowSet, identity_schema
from schemas.common import FALLBACK_KEYS, FALLBACK_TYPE
from schemas.errors import ConfigError, DeliveryError

Progress = Callable[[str, int, int | None], None]
QUOTA_MARGIN = 0


@dataclass(frozen=True)
class Recipient:
    """Rows converted, and the key-check tag of the key that did it."""

    rows: int
    key_check: str


def convert(delivery: Path, keys: ConverterKeys, out: Path, progress: Progress | None = None) -> RowSet:
    """Identity file of a verified delivery -> `out`, Parquet: row_id and labelled link pseudonyms.

    Beside it comes canaries.age: what the planted canaries look like, sealed for the converter (canary.py).

    Raises DeliveryError bad_hash, unsealing_failed, bad_schema, row_count_mismatch; ConfigError wrong_domain
    when the pre-pseudonyms are of another project or epoch than K_T; KeyUnavailable.
    """
    manifest = read_verified(delivery)
    source = delivery / "identity.age"
    require_hash(source, manifest.hashes.identity)
    key = keys.link()
    stage = prf.link(key.secret, key.project, key.epoch)
    columns = identity_columns(manifest)
    schema = identity_schema(Domain(manifest.scheme, key.project, "link", key.epoch), columns)
    fast.expect(manifest.delivered)
    rows, watch, persons = RowSet(), canary.Watch(manifest), Converted(manifest.canaries.row_ids)
    with parquet.writing(out) as writer, seal.opened(source, keys.identity()) as reader:
        _require_identity(reader.schema, manifest, key)
        writer.start(schema, schema.names)
        for before, made in ahead(_converted(reader, stage, schema, rows, manifest)):
            persons.add(before)
            watch.see(before, made)
            writer.write(made)
            if progress is not None:
                progress("omzetten", rows.rows, manifest.delivered)
        require_all(rows, manifest)
        persons.require_declared(manifest.identifiers.distinct)
        watch.save(out.parent, _labels(manifest, key), keys.identity())
    return rows


def identity_columns(manifest: Manifest) -> tuple[str, ...]:
    """Which pseudonym columns a delivery has: numbers, and fallback keys where the agreement switched them on."""
    return (*COLUMNS, *FALLBACK_KEYS) if FALLBACK_TYPE in manifest.identifier_types else COLUMNS


def _converted(
    reader: seal.Reader, stage: prf.Prf, schema: pa.Schema, rows: RowSet, manifest: Manifest
) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    """Batches before and after, with link pseudonyms; a row past the quota is never converted."""
    for batch in reader:
        rows.add(batch["row_id"])
        require_quota(rows.rows, manifest)
        converted = [pseudonyms(stage, domain.storage(batch[name])) for name in schema.names[1:]]
        yield batch, pa.table([batch["row_id"], *converted], schema=schema)


def _labels(manifest: Manifest, key: Key) -> dict[str, str]:
    pre = Domain(manifest.scheme, manifest.project, "pre", manifest.epoch)
    return {"pre": pre.label, "link": Domain(manifest.scheme, key.project, "link", key.epoch).label}


def require_quota(rows: int, manifest: Manifest) -> None:
    """DeliveryError row_count_mismatch as soon as there are more rows than the manifest declares."""
    if rows > manifest.delivered + QUOTA_MARGIN:
        raise DeliveryError("row_count_mismatch", declared=manifest.delivered, read=rows)


def require_all(rows: RowSet, manifest: Manifest) -> None:
    """DeliveryError row_count_mismatch unless exactly the declared rows came, by number and by row ids."""
    if rows.rows != manifest.delivered or rows.text != manifest.row_set:
        raise DeliveryError("row_count_mismatch", declared=manifest.delivered, read=rows.rows)


def _require_identity(schema: pa.Schema, manifest: Manifest, key: Key) -> None:
    expected = Domain(manifest.scheme, manifest.project, "pre", manifest.epoch)
    columns = identity_columns(manifest)
    for name in set(columns) & set(schema.names):
        domain.require(schema, name, expected)
    if not schema.equals(identity_schema(expected, columns)):
        raise DeliveryError("bad_schema", file="identity.age")
    if manifest.project != key.project:
        raise ConfigError("wrong_domain", expected=f"project {key.project}", found=f"project {manifest.project}")


def to_recipient(
    source: Path, name: str, keys: ConverterKeys, out: Path, progress: Progress | None = None
) -> Recipient:
    """A Parquet file with one link pseudonym per row -> the same file with the recipient's own in its place.

    The column is found by its label (domain.link_column) and must be of the key's project and epoch, else
    ConfigError wrong_domain, naming both. Null stays null; other columns pass as they are. DeliveryError bad_schema,
    unreadable_file.
    """
    key = keys.recipient(name)
    schema, tables = parquet.batches(source)
    column = _link_column(schema, key)
    stage = prf.recipient(key.secret, key.project, name, key.epoch)
    scheme = domain.of_field(schema, column).scheme
    field = Domain(scheme, key.project, f"recipient:{name}", key.epoch).field(column, prf.PSEUDONYM)
    place = schema.get_field_index(column)
    target = schema.set(place, field).remove_metadata()
    rows = 0
    with parquet.writing(out) as writer:
        writer.start(target, [column])
        for table in ahead(tables):
            made = pseudonyms(stage, _pseudonym_width(table[column]))
            writer.write(table.set_column(place, field, made.cast(field.type)).cast(target))
            rows += table.num_rows
            if progress is not None:
                progress("ontvanger", rows, None)
    return Recipient(rows, key.tag)


def _link_column(schema: pa.Schema, key: Key) -> str:
    column = domain.link_column(schema)
    found = domain.of_field(schema, column)
    if schema.field(column).type not in {pa.binary(), pa.binary(prf.PSEUDONYM), found.type()}:
        raise DeliveryError("bad_schema", column="link")
    domain.require(schema, column, Domain(found.scheme, key.project, "link", key.epoch))
    return column


def _pseudonym_width(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A BLOB column (what DuckDB writes) as 32-byte values; another width is no pseudonym of ours."""
    try:
        return domain.storage(values).cast(pa.binary(prf.PSEUDONYM))
    except pa.ArrowException:
        raise DeliveryError("bad_schema", column="link") from None
