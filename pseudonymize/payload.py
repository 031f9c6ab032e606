"""Open a payload file for the linker: attributes and random row ids, no identifier and no pseudonym of a person."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pseudonymize import coarsen, parquet, seal
from pseudonymize.accept import read_verified, require_hash
from pseudonymize.convert import Progress, require_all, require_quota
from pseudonymize.parties import LinkerKeys
from pseudonymize.split import RowSet, payload_schema
from schemas.agreement import Agreement
from schemas.column import Role
from schemas.errors import DeliveryError
from schemas.pseudonym import PseudonymType


def open_payload(
    delivery: Path,
    keys: LinkerKeys,
    out: Path,
    agreement: Agreement,
    progress: Progress | None = None,
) -> RowSet:
    """Payload file of a verified delivery -> `out`, Parquet with exactly the columns of the agreement.

    Raises DeliveryError agreement_mismatch (another text than the manifest names), bad_hash, unsealing_failed,
    bad_schema, not_coarsened, row_count_mismatch; KeyUnavailable.
    """
    manifest = read_verified(delivery)
    if manifest.agreement.sha256 != agreement.sha256:
        raise DeliveryError("agreement_mismatch", field="text")
    source = delivery / "payload.age"
    require_hash(source, manifest.hashes.payload)
    rows = RowSet()
    with parquet.writing(out) as writer, seal.opened(source, keys.identity()) as reader:
        schema = _required(reader.schema, agreement)
        writer.start(schema, _opaque(schema))
        for batch in reader:
            rows.add(batch["row_id"])
            require_quota(rows.rows, manifest)
            coarsen.require_coarse(agreement, batch)
            writer.write(batch)
            if progress is not None:
                progress("openen", rows.rows, manifest.delivered)
        require_all(rows, manifest)
    return rows


def _required(schema: pa.Schema, agreement: Agreement) -> pa.Schema:
    """The schema the payload must have. DeliveryError bad_schema when it has another one."""
    declared = agreement.declared
    expected = payload_schema(declared, agreement)
    identifying = {c.name for c in declared.columns if c.role in {Role.IDENTIFIER, Role.IDENTIFIER_KIND}}
    if not schema.equals(expected, check_metadata=True) or identifying & set(schema.names):
        raise DeliveryError("bad_schema", file="payload.age")
    return expected


def _opaque(schema: pa.Schema) -> list[str]:
    """Columns of random bytes: a dictionary would only cost time."""
    return [f.name for f in schema if pa.types.is_fixed_size_binary(f.type) or isinstance(f.type, PseudonymType)]
