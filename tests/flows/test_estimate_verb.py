"""`koppel estimate`, on linked tables alone: resumable, JSON, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.settings import load
from flows.verbs.estimate import estimate
from pseudonymize.ceremony import create_demo_keys
from schemas.errors import ConfigError
from tests.estimation import linked


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ttp")
    paths = ("home", "agreements", "keys", "inbox", "gateway")
    lines = [*(f'{name} = "{name}"' for name in paths), "draws = 100", "seed = 5"]
    (folder / "koppel.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    create_demo_keys(folder / "keys", ["justid"], ["onderzoek"], "demo", "epoch-1")  # every step is audited
    linked.write(load(folder / "koppel.toml").run / "linked", persons=600)
    return folder / "koppel.toml"


def ask(config: Path, capsys: pytest.CaptureFixture[str], **how: object) -> dict[str, object]:
    estimate(config=config, quiet=True, as_json=True, **how)  # type: ignore[arg-type]
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_it_estimates_once_and_then_answers(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = ask(config, capsys)
    again = ask(config, capsys, gebied="0014", maanden=12)
    assert (first["skipped"], again["skipped"]) == (False, True)
    assert first["draws"] == 100
    rows = first["rows"]
    assert isinstance(rows, list)
    assert {row["soort"] for row in rows} == {"TITEL_EINDES", "GEBRUIK", "BEHOEFTE"}
    assert {row["periode"] for row in rows} == {"2019", "2020", "2021", "2022", "2023"}
    assert all("schatting" in row["weergave"] or "onzeker" in row["weergave"] for row in rows)
    others = again["rows"]
    assert isinstance(others, list)
    assert {row["maanden"] for row in others} == {0, 12}


def test_another_seed_or_sample_is_another_estimate(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(config, capsys)
    text = config.read_text(encoding="utf-8")
    sample = config.parent / "dossiers.csv"
    sample.write_text("soort,onderzocht,goed\ngevoeligheid,300,290\n", encoding="utf-8")
    config.write_text(text + 'clerical = "dossiers.csv"\n', encoding="utf-8")
    assert ask(config, capsys)["skipped"] is False
    assert ask(config, capsys)["skipped"] is True
    config.write_text(text, encoding="utf-8")
    assert ask(config, capsys)["skipped"] is False


def test_text_for_people(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimate(config=config, quiet=True)
    told = capsys.readouterr().out
    assert "Geschat: NL" in told
    assert "waarschijnlijk tussen" in told
    assert "BEHOEFTE binnen 6 maanden (B75)" in told


@pytest.mark.parametrize(
    ("how", "code"), [({"gebied": "9999"}, "unknown_area"), ({"maanden": 5}, "bad_call")], ids=["area", "window"]
)
def test_wrong_questions_are_answered_clearly(config: Path, how: dict[str, object], code: str) -> None:
    with pytest.raises(ConfigError, match=code):
        estimate(config=config, quiet=True, **how)  # type: ignore[arg-type]


def test_without_linked_tables_it_says_what_to_do(tmp_path: Path) -> None:
    lines = [f'{name} = "{name}"' for name in ("home", "agreements", "keys", "inbox", "gateway")]
    (tmp_path / "koppel.toml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="run the link step first"):
        estimate(config=tmp_path / "koppel.toml", quiet=True)
