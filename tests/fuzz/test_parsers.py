"""Every parser of what comes from outside, fed with damaged and hostile input: an answer or an error of ours, no more.

Seeds stand in tests/corpus: small sound files, and inputs that once found a fault. Hypothesis cuts, flips, repeats and
inserts. The property is the same for all: no exception but KoppelError with a code for the sender, no value in it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.settings import load as load_settings
from pseudonymize import manifest, seal
from pseudonymize.secret import Secret
from schemas import agreement, reading
from schemas.errors import ADVICE, ConfigError, DeliveryError, KoppelError
from schemas.registers import REGISTERS

CORPUS = Path(__file__).parents[1] / "corpus"
AGREEMENTS = Path(__file__).parents[2] / "synthetic" / "agreements"
NUMBER = "999990019"  # RvIG test range: planted in every seed, looked for in every error
CROSSWALK = REGISTERS["crosswalk"]
EXAMPLES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOKENS = [
    b"",
    b"\0",
    b'"',
    b";",
    b"\n",
    b"{",
    b"[" * 60,
    b"9" * 400,
    b"\xff\xfe",
    b"../../etc/passwd",
    b"-1",
    b"nan",
    b"&a *a",
]
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def csv() -> bytes:
    return f"skn;skn_soort;bsn\nS1;SKN;{NUMBER}\nS2;SKN;\n".encode()


def parquet() -> bytes:
    out = io.BytesIO()
    columns = {"skn": ["S1", "S2"], "skn_soort": ["SKN", "SKN"], "bsn": [NUMBER, None]}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@cache  # a workbook holds the time it was made
def xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["skn", "skn_soort", "bsn"], ["S1", "SKN", NUMBER]):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def toml() -> bytes:
    return f'home = "ttp"\nagreements = "a"\nkeys = "k"\ninbox = "i"\ngateway = "g"\nrelease = "{NUMBER}"\n'.encode()


def manifest_of_nothing() -> bytes:
    return f'{{"format": "koppelpunt/1", "register": "{NUMBER}", "sequence": 1, "rows": {{"in": 1}}}}'.encode()


def read(suffix: str) -> Callable[[Path], object]:
    def act(path: Path) -> object:
        return [batch.table.num_rows for batch in reading.batches(CROSSWALK, path.rename(path.with_suffix(suffix)))]

    return act


def unseal(path: Path) -> object:
    seal.require_small_header(path)
    with seal.opened(path, Secret(IDENTITY.encode())) as found:
        return found.schema


PARSERS: dict[str, tuple[Callable[[], bytes], Callable[[Path], object]]] = {
    "csv": (csv, read(".csv")),
    "parquet": (parquet, read(".parquet")),
    "xlsx": (xlsx, read(".xlsx")),
    "manifest": (manifest_of_nothing, lambda path: manifest.parse(path.read_bytes())),
    "agreement": ((AGREEMENTS / "crosswalk.yaml").read_bytes, agreement.load),
    "sealed": (lambda: b"age-encryption.org/v1\n-> X25519 abc\nabc\n--- abc\n" + NUMBER.encode(), unseal),
    "settings": (toml, load_settings),
}


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """A seed with up to six edits: a piece cut, repeated or moved, a bit flipped, a nasty token put in."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 2, 4, 16, 64, 512]))
        kind = draw(st.sampled_from(["cut", "repeat", "flip", "token", "number"]))
        piece = bytes(data[at : at + length])
        if kind == "cut":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = piece * draw(st.integers(1, 3))
        elif kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "token":
            data[at : at + length] = draw(st.sampled_from(TOKENS))
        else:
            data[at : at + 4] = struct.pack("<i", draw(st.sampled_from([-1, 0, 1, 2**31 - 1, -(2**31), 65_536])))
    return bytes(data)


def judged(parse: Callable[[Path], object], data: bytes, folder: Path) -> None:
    """The property."""
    path = folder / "input"
    path.write_bytes(data)
    try:
        parse(path)
    except KoppelError as error:
        assert isinstance(error, ConfigError | DeliveryError), error
        assert error.code in ADVICE
        assert NUMBER not in str(error) + repr(error.facts)
        assert error.__cause__ is None


@pytest.mark.parametrize("name", PARSERS)
def test_the_seed_itself_and_the_kept_corpus(name: str, tmp_path: Path) -> None:
    seed, parse = PARSERS[name]
    judged(parse, seed(), tmp_path)
    for kept in sorted(CORPUS.glob(f"{name}-*")):
        judged(parse, kept.read_bytes(), tmp_path)


@EXAMPLES
@given(data=st.data())
@pytest.mark.parametrize("name", PARSERS)
def test_damaged_input_is_an_answer_or_an_error_of_ours(name: str, tmp_path: Path, data: st.DataObject) -> None:
    seed, parse = PARSERS[name]
    judged(parse, data.draw(damaged(seed())), tmp_path)


# Hostile files -------------------------------------------------------------------------------------------------


def bomb(path: Path, part: str, size: int) -> None:
    """A sound workbook with one part that unpacks into `size` bytes of nothing."""
    with zipfile.ZipFile(io.BytesIO(xlsx())) as sound, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sound.namelist():
            if name != part:
                out.writestr(name, sound.read(name))
        with out.open(part, "w", force_zip64=True) as file:
            for _ in range(size >> 20):
                file.write(b" " * (1 << 20))


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, part: str) -> None:
    path = tmp_path / "bomb.xlsx"
    bomb(path, part, 64 << 20)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DeliveryError, match=r"file_too_large \(register=crosswalk"):
        read(".xlsx")(path)


def test_an_archive_of_a_thousand_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.xlsx"
    with zipfile.ZipFile(path, "w") as out:
        for number in range(reading.XLSX_MAX_PARTS + 1):
            out.writestr(f"xl/{number}", b"")
    with pytest.raises(DeliveryError, match="file_too_large"):
        read(".xlsx")(path)


def test_a_manifest_cannot_name_a_path(tmp_path: Path) -> None:
    """It names no file at all; what it does name must look like a name of ours."""
    for text in (b'{"register": "../../etc"}', b'{"register": "/etc/passwd", "supplier": "..\\u0000"}'):
        with pytest.raises(DeliveryError, match="bad_manifest"):
            manifest.parse(text)
