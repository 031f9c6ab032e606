"""Two domains or epochs never meet in the linkage: an error that names both, before a row is read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linkage import domains, queries, stage
from linkage.database import connect
from linkage.link import Delivery, link
from linkage.plan import Plan
from schemas import ddl, pseudonym
from schemas.errors import ConfigError, DeliveryError
from schemas.pseudonym import Domain
from tests.linkage.build import LINK, labelled, write_deliveries

ROWS = {"ifzo": [{"skn": "s", "bsn": "b"}], "gmsd": [{"bsn": "b", "ingangsdatum": "2022-03-01"}]}


@pytest.fixture
def made(tmp_path: Path) -> list[Delivery]:
    """One delivery of ifzo and one of gmsd, about one person."""
    return write_deliveries(tmp_path / "in", ROWS)


def relabel(path: Path, domain: Domain | None, columns: tuple[str, ...] = ddl.PERSON_COLUMNS) -> None:
    """The same bytes under another label, or under none."""
    table = pq.read_table(path)
    plain = [pa.field(f.name, pseudonym.storage(table[f.name]).type) for f in table.schema]
    fields = [
        (domain.field(p.name, p.type.byte_width) if domain else p) if p.name in columns else f
        for f, p in zip(table.schema, plain, strict=True)
    ]
    arrays = [table[f.name] if f.type == table[f.name].type else pseudonym.storage(table[f.name]) for f in fields]
    pq.write_table(labelled(pa.table(arrays, schema=pa.schema(fields))), path)


def go(made: list[Delivery], tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    link(made, tmp_path / "out", plan=Plan(), work=tmp_path / "work", memory_limit="512MB", threads=1)
    return tmp_path / "out"


@pytest.mark.parametrize(
    "other", ["v1/test/link/epoch-2", "v1/elsewhere/link/epoch-1", "v1/test/pre/epoch-1", "v1/test/recipient:a/epoch-1"]
)
def test_two_domains_are_an_error_that_names_both(made: list[Delivery], tmp_path: Path, other: str) -> None:
    relabel(made[1].link, Domain.parse(other))
    with pytest.raises(DeliveryError) as caught:
        go(made, tmp_path)
    assert caught.value.code == "mixed_domains"
    assert caught.value.facts["found"] == other
    assert caught.value.facts["expected"] in {LINK.label, "link"}
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_label_is_refused(made: list[Delivery], tmp_path: Path) -> None:
    relabel(made[0].link, None)
    with pytest.raises(DeliveryError, match="found=none"):
        go(made, tmp_path)


def test_a_label_that_is_none_of_ours_is_refused(made: list[Delivery], tmp_path: Path) -> None:
    table = pq.read_table(made[0].link)
    arrays = {name: pseudonym.storage(table[name]) for name in table.column_names}
    told = {b"koppel.domain.bsn": b"v9/what/ever"}
    pq.write_table(pa.table(arrays).replace_schema_metadata(told), made[0].link)
    with pytest.raises((ConfigError, DeliveryError), match="domain"):
        go(made, tmp_path)


def test_record_keys_of_another_epoch_would_pair_nothing_and_are_refused(tmp_path: Path) -> None:
    notices = {("injus", n): [{"skn": "s", "detentie_id": "d", "datum_gebeurtenis": "2022-03-01"}] for n in (1, 2)}
    made = write_deliveries(tmp_path / "in", notices)
    relabel(made[1].payload, Domain("v1", "project", "record:injus.detentie_id", "run-2"), ("detentie_id",))
    with pytest.raises(DeliveryError, match="run-2"):
        go(made, tmp_path)


def test_the_record_key_of_one_column_is_not_that_of_another(made: list[Delivery], tmp_path: Path) -> None:
    """indicatie_id of 3RO and of Ifzo are different name spaces (linkage.md section 7)."""
    relabel(made[0].payload, Domain("v1", "project", "record:reclassering.indicatie_id", "epoch"), ("indicatie_id",))
    with pytest.raises(DeliveryError, match=r"record:reclassering\.indicatie_id"):
        go(made, tmp_path)


def test_what_duckdb_reads_is_checked_as_well(made: list[Delivery], tmp_path: Path) -> None:
    """The type says epoch-1 and the key that DuckDB reads is gone: the second net catches it."""
    table = pq.read_table(made[0].link)
    pq.write_table(table.replace_schema_metadata({}), made[0].link)
    assert domains.link_domain(made) == LINK
    with pytest.raises(DeliveryError) as caught:
        go(made, tmp_path)
    assert (caught.value.facts["expected"], caught.value.facts["found"]) == (LINK.label, "none")


def test_the_labels_stand_in_the_database(made: list[Delivery], tmp_path: Path) -> None:
    folders = [d.folder for d in made]
    with connect(work=tmp_path / "w", folders=folders, memory_limit="200MB", threads=1) as con:
        domains.mirror(con, made, LINK)
        assert con.execute("select count(*), min(label), max(label) from domains").fetchall() == [
            (6, LINK.label, LINK.label)
        ]
        with pytest.raises(DeliveryError, match="epoch-9"):
            con.execute("drop table domains; drop macro in_domain")
            domains.mirror(con, made, Domain("v1", "test", "link", "epoch-9"))


def test_a_join_by_hand_over_two_domains_says_so_instead_of_finding_nobody() -> None:
    con = duckdb.connect()
    queries.run(con, "in_domain", {})
    con.execute("create table a as select 'v1/t/link/e1' as label, 'x'::blob as p")
    con.execute("create table b as select 'v1/t/link/e2' as label, 'y'::blob as p")
    one, other = (f"in_domain({t}.p, {t}.label, 'v1/t/link/e1')" for t in "ab")
    join = f"select count(*) from a join b on {one} = {other}"
    with pytest.raises(duckdb.Error, match=r"v1/t/link/e2 does not meet v1/t/link/e1"):
        con.execute(join).fetchall()
    con.execute("update b set label = 'v1/t/link/e1'")
    assert con.execute(join).fetchall() == [(0,)]
    con.execute("update b set label = null")
    with pytest.raises(duckdb.Error, match="carries no label"):
        con.execute(join).fetchall()


def test_the_persons_go_out_under_the_label_they_came_in_with(made: list[Delivery], tmp_path: Path) -> None:
    found = pq.read_schema(go(made, tmp_path) / "person_link.parquet")
    assert found.field("link").type == LINK.type()
    assert found.metadata[b"koppel.domain.link"] == LINK.label.encode()


def test_without_a_delivery_there_is_no_domain_and_nothing_to_convert(tmp_path: Path) -> None:
    assert domains.link_domain([]) is None
    assert pq.read_schema(go([], tmp_path) / "person_link.parquet").field("link").type == pa.binary(32)


def test_the_views_themselves_refuse_another_domain(made: list[Delivery], tmp_path: Path) -> None:
    """Were the checks before it taken away, every query over the link files would still name both."""
    relabel(made[1].link, Domain.parse("v1/test/link/epoch-2"))
    folders = [d.folder for d in made]
    with connect(work=tmp_path / "w", folders=folders, memory_limit="200MB", threads=1) as con:
        with pytest.raises(DeliveryError):
            domains.mirror(con, made, LINK)
        with pytest.raises(duckdb.Error, match=r"v1/test/link/epoch-2 does not meet v1/test/link/epoch-1"):
            stage.views(con, made, LINK)
            con.execute("select count(*) from links as l join links as r using (bsn)").fetchall()
