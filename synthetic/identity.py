"""The number columns of an extract, with their defects, and birth year and sex as a register holds them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthetic import serial
from synthetic.defects import Defects
from synthetic.people import People
from synthetic.rand import Bools, Ints, Rng, between, some
from synthetic.write import Rows, Whole, pick

PLACEHOLDERS = ("000000000", "999999999", "111111110", "123456782", "999999990")


def columns(rng: Rng, people: People, person: Ints, defects: Defects, *, bsn: float, skn: float, old: Bools) -> Rows:
    """bsn, skn, skn_soort, geboortejaar, geslacht. `bsn` and `skn` are the shares of rows that hold one.

    `old` marks rows that may still carry the VIP number.
    """
    vip = old & (people.vip[person] > 0) & some(rng, len(person), 0.5)
    second = (people.skn2[person] > 0) & some(rng, len(person), 0.5)
    number = np.where(vip, people.vip[person], np.where(second, people.skn2[person], people.skn[person]))
    no_skn = (number == 0) | ~some(rng, len(person), skn)
    return {
        "bsn": bsn_text(rng, people, person, defects, share=bsn),
        "skn": pc.cast(pa.array(number, pa.int64(), mask=no_skn), pa.string()),
        "skn_soort": pick(("SKN", "VIP"), vip.astype(np.int64), no_skn),
        **attributes(rng, people, person, defects),
    }


def attributes(rng: Rng, people: People, person: Ints, defects: Defects) -> Rows:
    """geboortejaar and geslacht."""
    n = len(person)
    birth = people.birth[person]
    # typing errors among people in the middle ages, so that the youngest and oldest stay who they are
    wrong = some(rng, n, defects.birth_year_wrong) & (birth > 1950) & (birth < 1990)
    shift = np.where(some(rng, n, 0.5), 1, 10) * np.where(some(rng, n, 0.5), 1, -1)
    birth = birth + np.where(wrong, shift, 0)
    return {
        "geboortejaar": Whole(birth, some(rng, n, defects.birth_year_missing)),
        "geslacht": pick(("V", "M"), people.is_man[person].astype(np.int64)),
    }


def bsn_text(rng: Rng, people: People, person: Ints, defects: Defects, *, share: float, care: float = 1.0) -> pa.Array:
    """BSN-SYN as text, with what goes wrong in practice; `care` below 1 is a holder that checks its numbers."""
    n = len(person)
    second = (people.bsn2[person] > 0) & some(rng, n, 0.5)
    number = np.where(second, people.bsn2[person], people.bsn[person])
    empty = (number == 0) | ~some(rng, n, share)
    wrong = some(rng, n, defects.bsn_check_digit * care)
    text = pc.utf8_lpad(pc.cast(pa.array(np.where(wrong, serial.spoiled(number), number)), pa.string()), 9, "0")
    lost = (number < 100_000_000) & some(rng, n, defects.leading_zero_lost)
    text = pc.if_else(pa.array(lost), pc.utf8_ltrim(text, "0"), text)
    dotted = pc.replace_substring_regex(text, r"^(\d{3})(\d{3})(\d{3})$", r"\1.\2.\3")
    text = pc.if_else(pa.array(some(rng, n, defects.bsn_formatted)), dotted, text)
    tested = pc.cast(pa.array(serial.test_range(n)), pa.string())
    text = pc.if_else(pa.array(some(rng, n, defects.bsn_test_range)), tested, text)
    filler = pick(PLACEHOLDERS, between(rng, np.zeros(n), len(PLACEHOLDERS) - 1))
    text = pc.if_else(pa.array(some(rng, n, defects.bsn_placeholder * care)), filler, text)
    return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), text)
