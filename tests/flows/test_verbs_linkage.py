"""`koppel plan show` and `koppel reconcile`: what they print, and what they end with."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from flows.settings import load
from flows.verbs import reconcile as verb
from flows.verbs.plan import show
from linkage import reconcile
from linkage.plan import Plan
from schemas import comparison, printed, reference
from schemas.comparison import Line
from schemas.errors import ConfigError, QualityGate
from tests.flows.conftest import SCALE, Site


def test_the_plan_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    show()
    text = capsys.readouterr().out
    assert f"Koppelplan {Plan().version}" in text
    assert Plan().digest() in text
    assert all(f"- {line}" in text for line in Plan().in_words())


def test_the_plan_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(Plan().as_dict()))


def test_its_hash_is_in_the_manifest_of_the_run(finished: Site) -> None:
    run = json.loads((load(finished.config).out / "run.json").read_text(encoding="utf-8"))
    assert run["plan"] == {"version": Plan().version, "sha256": Plan().digest()}


def linked(site: Site) -> Path:
    return load(site.config).run / "linked"


def test_every_printed_figure_is_there_judged_or_with_a_reason(finished: Site) -> None:
    lines = reconcile.lines(linked(finished), SCALE)
    assert len(lines) == len(reference.national()) + len(reference.injus_notices()) + len(reference.wmo_flows())
    assert all(line.counted is not None or line.note for line in lines)
    judged = {table: n for table, _, n, _, _ in reconcile.summary(lines)}
    assert judged["landelijk"] >= 100
    assert judged["gemeenten injus"] >= 1_345
    assert judged["gemeenten wmo"] >= 1_400


def test_the_verb_prints_both_sides_and_succeeds(finished: Site) -> None:
    done = finished.koppel("reconcile", "--scale", str(SCALE))
    assert [row for row in done.stdout.splitlines() if row.startswith("!")] == []
    assert done.returncode == 0
    assert "gedrukt" in done.stdout
    assert "gemeenten wmo: 1644 cijfers" in done.stdout


def test_in_json_and_with_every_municipality(finished: Site, capsys: pytest.CaptureFixture[str]) -> None:
    verb.reconcile(linked=linked(finished), scale=SCALE, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 3_229
    assert all(line["within"] for line in found)
    verb.reconcile(linked=linked(finished), scale=SCALE, everything=True)
    assert capsys.readouterr().out.count("municipality=") > 3_000


def test_a_figure_that_is_off_ends_with_the_code_of_a_quality_gate(finished: Site, tmp_path: Path) -> None:
    for name in ("register_counts", "reconciliation"):
        table = pq.read_table(linked(finished) / f"{name}.parquet")
        if name == "register_counts":
            table = table.set_column(4, "value", pc.multiply(table["value"], pa.scalar(3.0)))
        pq.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.raises(QualityGate, match="figures_differ") as caught:
        verb.reconcile(linked=tmp_path, scale=SCALE)
    assert caught.value.exit_code == 13


def test_no_linked_tables_and_a_scale_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not_linked"):
        verb.reconcile(linked=tmp_path)
    with pytest.raises(ConfigError, match="bad_call"):
        verb.reconcile(linked=tmp_path, scale=0)


def line(**change: object) -> Line:
    facts: dict[str, object] = {"table": "landelijk", "source": "ifzo", "indicator": "i", "breakdown": "b", "year": "1"}
    facts |= {"kind": "count", "published": 100.0, "counted": 101.0, "tolerance": 2.0, "note": ""}
    return Line(**{**facts, **change})  # type: ignore[arg-type]


def test_within_and_outside() -> None:
    assert line().within
    assert not line(counted=103.0).within
    assert not line(counted=None).within
    assert line(counted=None, note="Niet te tellen.").within
    assert reconcile.outside([line(), line(counted=97.0)]) == [line(counted=97.0)]


@pytest.mark.parametrize(
    ("kind", "unit", "printed", "tolerance"),
    [
        ("count", "persons", 10_000.0, 200.0),
        ("count", "persons", 20.0, 5.0),
        ("mean", "persons", 1_000.0, 50.0),
        ("share", "percent", 40.0, 1.2),
        ("change", "percent", -270.0, 2.7),
        ("mean", "years", 36.0, 1.0),
    ],
)
def test_what_counts_as_equal_at_full_scale(kind: str, unit: str, printed: float, tolerance: float) -> None:
    assert comparison.tolerance(kind, unit, printed, 1.0) == pytest.approx(tolerance)
    assert comparison.tolerance(kind, unit, printed, 0.01) > 0


def counted(municipality: str, value: float) -> dict[tuple[str, ...], float]:
    return {("cbs", "inflow", f"provision=support_at_home;municipality={municipality}", "2021"): value}


def flows(**counts: str) -> list[printed.Printed]:
    """The printed inflow of 2021, with the outflow beside it."""
    same = {"year": "2021", "provision": "support_at_home", "status": "exact"}
    rows = [{**same, "municipality": name, "flow": "inflow", "count": count} for name, count in counts.items()]
    rows += [{**same, "municipality": name, "flow": "outflow", "count": "400"} for name in counts]
    return list(printed.today(rows, printed.FLOWS))[: len(counts)]


def test_a_municipality_that_took_another_in_is_judged_by_the_sum_of_what_is_printed() -> None:
    """Purmerend of today was Purmerend and Beemster in 2021; two rounded counts widen the margin by one rounding."""
    whole, part = (
        reconcile._flow(one, counted("Purmerend", 790.0), 1.0) for one in flows(Purmerend="700", Beemster="60")
    )
    assert (whole.published, whole.counted, whole.judged) == (760.0, 790.0, True)
    assert whole.tolerance == pytest.approx(0.04 * 760 + 2)
    assert whole.remark == "Som van Beemster, Purmerend."
    assert whole.within and not Line(**{**whole.__dict__, "counted": 793.0}).within
    assert (part.judged, part.counted) == (False, None)


def test_what_is_hidden_is_judged_as_below_ten() -> None:
    (told,) = (reconcile._flow(one, counted("Westland", 5.0), 1.0) for one in flows(Westland=""))
    assert told.judged and told.within
    assert told.remark == "Niet gedrukt, want onder de 10."
    assert not Line(**{**told.__dict__, "counted": 25.0}).within


def test_a_small_country_has_the_margin_of_its_noise_and_a_scaled_interval() -> None:
    (told,) = (reconcile._flow(one, counted("Westland", 5.0), 0.01) for one in flows(Westland=""))
    assert told.published == pytest.approx(0.045)
    assert told.tolerance == pytest.approx(3 + 4 * 0.045**0.5 + 0.025)
