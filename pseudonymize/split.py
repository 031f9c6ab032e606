"""Split a batch of accepted rows into identity (pre-pseudonyms) and payload, joined by random row ids only."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pseudonymize import coarsen, prf
from pseudonymize.columns import Canonical, fixed_bytes, fixed_size, pseudonyms
from pseudonymize.domain import Domain
from pseudonymize.identify import COLUMNS, Rules
from pseudonymize.modes import Mode, OwnKeys
from schemas.agreement import Agreement
from schemas.column import Column, Role
from schemas.distinct import flat
from schemas.register import Register

ROW_ID = 16  # bytes, random per delivery


def row_id_field() -> pa.Field:
    """The field that joins identity and payload of one delivery."""
    return pa.field("row_id", pa.binary(ROW_ID), nullable=False)


def identity_schema(domain: Domain, columns: tuple[str, ...] = COLUMNS) -> pa.Schema:
    """row_id and one labelled pseudonym column per identifier type; the same for pre and link."""
    return pa.schema([row_id_field(), *(domain.field(name, prf.PSEUDONYM) for name in columns)])


def payload_columns(register: Register, agreement: Agreement) -> tuple[Column, ...]:
    """What the agreement lets through to the linker, in declared order; never an identifier."""
    return tuple(column for column in register.payload_columns if agreement.action(column.name) != "drop")


def payload_field(column: Column, register: str, agreement: Agreement) -> pa.Field:
    """A payload column as it arrives: record keys as labelled 16-byte HMACs, the rest as declared or coarser."""
    if column.role is Role.RECORD_KEY:
        stage = f"record:{register}.{column.name}"  # indicatie_id of two registers are two name spaces
        return Domain(prf.SCHEME, agreement.project, stage, agreement.epoch).field(column.name, prf.RECORD_KEY)
    return pa.field(column.name, coarsen.type_of(column, agreement))


def payload_schema(register: Register, agreement: Agreement) -> pa.Schema:
    """The exact schema of a payload under an agreement."""
    columns = payload_columns(register, agreement)
    return pa.schema([row_id_field(), *(payload_field(c, register.name, agreement) for c in columns)])


class RowSet:
    """Which rows passed, as the sum of their ids: equal for equal sets in any order, and it tells no id."""

    def __init__(self) -> None:
        self._total: npt.NDArray[np.uint64] = np.zeros(2, np.uint64)
        self.rows = 0

    def add(self, ids: pa.Array | pa.ChunkedArray) -> None:
        """Count row ids in; none may be null."""
        one = flat(ids)
        self._total += np.frombuffer(fixed_bytes(one), np.uint64).reshape(-1, 2).sum(axis=0, dtype=np.uint64)
        self.rows += len(one)

    @property
    def text(self) -> str:
        """The sum as 32 hex digits."""
        return self._total.tobytes().hex()


@dataclass(frozen=True)
class Parts:
    """Identity and payload of the same rows, in the same order: shuffle each apart before it leaves."""

    identity: pa.Table
    payload: pa.Table


class Splitter:
    """Makes the two parts of every batch of one delivery; holds the prepared HMAC states."""

    def __init__(self, register: Register, agreement: Agreement, keys: OwnKeys, mode: Mode) -> None:
        project, epoch = agreement.project, agreement.epoch
        rules = Rules.of(agreement)
        self._agreement = agreement
        self._columns = payload_columns(register, agreement)
        self._pre = {c: mode.stage(rules.type_of(c)) for c in rules.columns}
        self._record = {
            c.name: prf.record(keys.record.secret, project, epoch, f"{register.name}.{c.name}")
            for c in self._columns
            if c.role is Role.RECORD_KEY
        }
        self.identity_schema = identity_schema(Domain(mode.scheme, project, "pre", epoch), rules.columns)
        self.payload_schema = payload_schema(register, agreement)

    @property
    def hmacs(self) -> int:
        """How many values of an ordinary row are hashed: one identifier, and its record keys."""
        return 1 + len(self._record)

    def split(self, table: pa.Table, found: dict[str, Canonical]) -> Parts:
        """Two tables of as many rows; `found` are the batch's canonical identifiers."""
        ids = fixed_size(os.urandom(ROW_ID * table.num_rows), ROW_ID)
        made = [pseudonyms(stage, found[name].values) for name, stage in self._pre.items()]
        payload = [self._payload(table, column) for column in self._columns]
        return Parts(
            pa.table([ids, *made], schema=self.identity_schema),
            pa.table([ids, *payload], schema=self.payload_schema),
        )

    def _payload(self, table: pa.Table, column: Column) -> pa.Array | pa.ChunkedArray:
        values = table[column.name]
        if column.role is not Role.RECORD_KEY:
            return coarsen.coarsened(column.name, self._agreement, values)
        trimmed = pc.utf8_trim(values, characters=" \t")
        return pseudonyms(self._record[column.name], trimmed, prf.RECORD_KEY)
