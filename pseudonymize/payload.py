"""Open a payload file for the linker: attributes and random row ids, no identifier and no pseudonym of a person."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pseudonymize import parquet, seal
from pseudonymize.accept import read_verified, require_hash
from pseudonymize.convert import Progress, require_all, require_quota
from pseudonymize.manifest import Manifest
from pseudonymize.parties import LinkerKeys
from pseudonymize.split import RowSet, payload_field, payload_schema, row_id_field
from schemas.agreement import Agreement
from schemas.column import Role
from schemas.errors import DeliveryError
from schemas.pseudonym import PseudonymType
from schemas.registers import register


def open_payload(
    delivery: Path,
    keys: LinkerKeys,
    out: Path,
    agreement: Agreement | None = None,
    progress: Progress | None = None,
) -> RowSet:
    """Payload file of a verified delivery -> `out`, Parquet with exactly the columns of the agreement.

    Without `agreement`: with columns that the register allows in a payload. Raises DeliveryError bad_hash,
    unsealing_failed, bad_schema, row_count_mismatch; KeyUnavailable.
    """
    manifest = read_verified(delivery)
    source = delivery / "payload.age"
    require_hash(source, manifest.hashes.payload)
    rows = RowSet()
    with parquet.writing(out) as writer, seal.opened(source, keys.identity()) as reader:
        schema = _required(reader.schema, manifest, agreement)
        writer.start(schema, _opaque(schema))
        for batch in reader:
            rows.add(batch["row_id"])
            require_quota(rows.rows, manifest)
            writer.write(batch)
            if progress is not None:
                progress("openen", rows.rows, manifest.delivered)
        require_all(rows, manifest)
    return rows


def _required(schema: pa.Schema, manifest: Manifest, agreement: Agreement | None) -> pa.Schema:
    """The schema the payload must have. DeliveryError bad_schema when it has another one."""
    declared = register(manifest.register_name)
    if agreement is not None:
        expected = payload_schema(declared, agreement)
    else:
        allowed = {column.name: column for column in declared.payload_columns}
        named = [allowed[name] for name in schema.names if name in allowed]
        expected = pa.schema(
            [row_id_field(), *(payload_field(c, declared.name, manifest.project, manifest.epoch) for c in named)]
        )
    identifying = {c.name for c in declared.columns if c.role in {Role.IDENTIFIER, Role.IDENTIFIER_KIND}}
    if not schema.equals(expected, check_metadata=True) or identifying & set(schema.names):
        raise DeliveryError("bad_schema", file="payload.age")
    return expected


def _opaque(schema: pa.Schema) -> list[str]:
    """Columns of random bytes: a dictionary would only cost time."""
    return [f.name for f in schema if pa.types.is_fixed_size_binary(f.type) or isinstance(f.type, PseudonymType)]
