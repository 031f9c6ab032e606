"""What an agreement lets through coarser is coarser before it is sealed, and the TTP checks that it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pseudonymize import coarsen, seal
from pseudonymize.convert import convert
from pseudonymize.payload import open_payload
from schemas import agreement as agreements
from schemas.agreement import Agreement, Band
from schemas.errors import DeliveryError
from tests.pseudonymize.conftest import AGREEMENTS, INJUS_HEAD, injus_row

RULES = {"geboortejaar": {"action": "band", "width": 5, "top": 85}, "datum_melding": "year"}


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Agreement:
    """The agreement about Injus, with a band and a year."""
    content = yaml.safe_load((AGREEMENTS / "injus.yaml").read_text(encoding="utf-8"))
    content["columns"] |= RULES
    path = tmp_path_factory.mktemp("a") / "injus.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return agreements.load(path)


@given(st.integers(1900, 2023), st.integers(2, 20), st.one_of(st.none(), st.integers(50, 120)))
def test_a_band_is_its_lowest_value_and_old_ages_share_one(year: int, width: int, top: int | None) -> None:
    """The second computation, in plain Python: floor to the band; nobody is older than the top."""
    agreement = agreements.load(AGREEMENTS / "injus.yaml")
    object.__setattr__(agreement, "columns", {**agreement.columns, "geboortejaar": "band"})
    object.__setattr__(agreement, "bands", {"geboortejaar": Band(width=width, top=top)})
    (found,) = coarsen.coarsened(
        "geboortejaar", agreement, pa.chunked_array([pa.array([year], pa.int32())])
    ).to_pylist()
    oldest = 0 if top is None else 2023 - top
    assert found == max(year, oldest) // width * width
    assert found <= max(year, oldest) < found + width


def test_a_delivery_holds_bands_and_years_and_nothing_finer(world, coarse: Agreement) -> None:
    world.agreement = lambda _: coarse
    years = ("1920", "1938", "1940", "1984", "1985", "")
    rows = [injus_row(i, skn=f"S{i}", geboortejaar=y, datum_melding="07-09-2021") for i, y in enumerate(years)]
    out, report = world.deliver(world.extract("a.csv", INJUS_HEAD, rows))
    assert report.accepted == 6
    with seal.opened(out / "payload.age", world.linker.identity()) as reader:
        found = pa.Table.from_batches(list(reader), schema=reader.schema)
    assert found.schema.field("geboortejaar").type == pa.int32()
    assert found.schema.field("datum_melding").type == pa.int32()
    assert sorted(found["geboortejaar"].to_pylist(), key=str) == [1935, 1935, 1940, 1980, 1985, None]
    assert set(found["datum_melding"].to_pylist()) == {2021}
    assert open_payload(out, world.linker, world.home / "p.parquet", coarse).rows == 6


def test_the_ttp_refuses_exact_years_under_a_band(world, coarse: Agreement, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supplier with a tool of its own signs a delivery that is finer than agreed."""
    world.agreement = lambda _: coarse
    with monkeypatch.context() as patch:
        patch.setattr(
            "pseudonymize.split.coarsen.coarsened",
            lambda column, agreement, values: (
                coarsen.pc.cast(coarsen.pc.year(values), pa.int32()) if column == "datum_melding" else values
            ),
        )
        out, _ = world.deliver(world.extract("a.csv", INJUS_HEAD, [injus_row(1, skn="S1", geboortejaar="1983")]))
    with pytest.raises(DeliveryError, match="not_coarsened") as caught:
        open_payload(out, world.linker, world.home / "p.parquet", coarse)
    assert caught.value.facts == {"register": "injus", "column": "geboortejaar"}
    assert not (world.home / "p.parquet").exists()


def test_nothing_is_opened_under_another_text_than_the_supplier_signed(world, coarse: Agreement) -> None:
    out, _ = world.deliver(world.injus())
    with pytest.raises(DeliveryError, match="agreement_mismatch"):
        open_payload(out, world.linker, world.home / "p.parquet", coarse)
    convert(out, world.converter, world.home / "l.parquet")


def test_the_linkage_takes_a_year_where_it_counts_no_days_and_refuses_it_where_it_does(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from linkage.link import link
    from linkage.plan import Plan
    from tests.linkage.build import write_deliveries

    row = {"skn": "s", "datum_gebeurtenis": "2022-03-01", "datum_melding": "2022-03-02"}
    for number, column in enumerate(("datum_melding", "datum_gebeurtenis")):
        (made,) = write_deliveries(tmp_path / f"in{number}", {"injus": [row]})
        table = pq.read_table(made.payload)
        years = pa.array([2022], pa.int32())
        place = table.schema.get_field_index(column)
        pq.write_table(table.set_column(place, column, years), made.payload)
        out = tmp_path / f"out{number}"
        out.mkdir()
        if column == "datum_melding":
            assert link([made], out, plan=Plan(), work=tmp_path / "w").persons == 1
        else:
            with pytest.raises(DeliveryError, match="too_coarse"):
                link([made], out, plan=Plan(), work=tmp_path / "w")


def test_every_date_the_staging_reads_is_one_that_needs_its_day() -> None:
    """A new statement over a date that an agreement may coarsen must be thought about: it shows here."""
    from linkage import queries
    from linkage.delivery import BY_DAY
    from schemas.column import Kind
    from schemas.registers import REGISTERS

    for register in REGISTERS.values():
        dates = {c.name for c in register.columns if c.kind is Kind.DATE}
        name = f"stage_{register.name}"
        if name in queries.names():
            words = set(
                queries.text(name).replace(",", " ").replace(".", " ").replace("(", " ").replace(")", " ").split()
            )
            assert dates & words <= BY_DAY, register.name
