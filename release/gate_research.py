"""The gate's judge of what researchers get: declared tables, one pseudonym column, labelled with their own domain.

These tables are rows, so there are no small counts to hide here: they go only to a recipient under an agreement, on a
pseudonym that nobody else's file carries. The label says so, and a table without it does not leave. Whether the values
are as coarse as that agreement says was judged before, by release/research_gate.py, which knows it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from release.research_gate import TEXTS
from schemas.errors import DisclosureRefused
from schemas.linked import LINKED_TABLES
from schemas.register import OutTable

LABEL = b"koppel.domain"
_RECIPIENT = re.compile(rb"v1/[a-z0-9-]{1,64}/recipient:[a-z0-9-]{1,64}/[a-z0-9-]{1,64}")


def check(folder: Path) -> int:
    """Number of files checked. DisclosureRefused release_schema, label_missing or identifier_in_release."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path: path.relative_to(folder) for path in files}
    tables = {path: name.parts[0].removesuffix(".parquet") for path, name in names.items() if path.suffix == ".parquet"}
    others = {str(name) for path, name in names.items() if path not in tables}
    if not set(tables.values()) <= set(LINKED_TABLES) or "persons" not in tables.values() or others - TEXTS:
        raise DisclosureRefused("release_schema", kind="research")
    labels = {_label(LINKED_TABLES[table], pq.read_schema(path)) for path, table in tables.items()}
    if len(labels) != 1:
        raise DisclosureRefused("label_missing", labels=len(labels))
    return len(files)


def _label(table: OutTable, schema: pa.Schema) -> bytes:
    """The recipient's label of the one pseudonym column, after the schema was found to be the declared one."""
    expected = [("pseudonym" if name == "person_id" else name) for name in table.names]
    # Columns that the agreement drops are missing; none may be more, twice or elsewhere.
    if schema.names != [name for name in expected if name in schema.names] or "pseudonym" not in schema.names:
        known = {"person_id", "link", "row_id", "bsn", "skn", "vip"} & set(schema.names)
        raise DisclosureRefused("identifier_in_release" if known else "release_schema", table=table.name)
    for field in schema:
        opaque = pa.types.is_binary(field.type) or pa.types.is_fixed_size_binary(field.type)
        if opaque and field.name != "pseudonym":
            raise DisclosureRefused("identifier_in_release", table=table.name)
    found: bytes = (schema.field("pseudonym").metadata or {}).get(LABEL, b"")
    if not _RECIPIENT.fullmatch(found):
        raise DisclosureRefused("label_missing", table=table.name)
    return found
