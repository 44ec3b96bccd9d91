"""Sealing forecasts and scoring them, on bases made of counts."""

import json
from dataclasses import replace

import pytest

from benchmarks import fleet_forecasts
from benchmarks.fleet_forecasts import Base, Seen, fitted, score, seal
from benchmarks.fleet_recipe import is_sealed
from tests.forecasting.tables import arm, table_of

SEALED = [number for number in range(40) if is_sealed(number)]
FITTING = [number for number in range(40) if not is_sealed(number)]


def _base(number, shares=(0.7, 0.3), ran=False):
    table = table_of(shares, (0.3, 0.8))
    return Base(
        f"f{number:03d}",
        table,
        dict.fromkeys(fleet_forecasts.ARMS, arm(steps=2)),
        {},
        {"grpo": None} if ran else {},
    )


def test_a_forecast_comes_before_its_runs(monkeypatch, tmp_path):
    late = _base(SEALED[0])
    late = replace(late, begun=True)
    monkeypatch.setattr(fleet_forecasts, "fleet_bases", lambda _: [late])
    with pytest.raises(SystemExit, match=f"f{SEALED[0]:03d}; a forecast comes before"):
        seal([], tmp_path / "sealed.json", 1, 1)
    assert not (tmp_path / "sealed.json").exists()


@pytest.mark.slow
def test_sealed_bases_are_forecast_for_every_arm_and_others_are_not(monkeypatch, tmp_path, capsys):
    alone = Base(f"f{SEALED[1]:03d}", table_of((1.0,), (0.5,)), {}, {}, {})
    fleet = [_base(SEALED[0]), alone, _base(FITTING[0], ran=True)]
    monkeypatch.setattr(fleet_forecasts, "fleet_bases", lambda _: fleet)
    monkeypatch.setattr(fleet_forecasts, "seen", lambda *_: Seen("b1", {}, 0.5, None))
    seal([], tmp_path / "sealed.json", 2, 1)
    found = json.loads((tmp_path / "sealed.json").read_text())
    assert [(row["base"], row["arm"]) for row in found["forecasts"]] == [
        (f"f{SEALED[0]:03d}", name) for name in fleet_forecasts.ARMS
    ]
    assert found["left_out"] == [f"f{SEALED[1]:03d}"]
    for row in found["forecasts"]:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert found["fitted"]["base_rate"]["2"] == pytest.approx([1 / 3, 2 / 3])
    assert "SHA-256" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="never written over"):
        seal([], tmp_path / "sealed.json", 2, 1)


def test_scores_use_rules_fitted_on_the_other_half_and_the_base_rate_for_cannot_say(monkeypatch, tmp_path):
    """The more accurate behaviour wins everywhere, though the other is more frequent."""
    bases = [_base(number, ran=True) for number in [*FITTING[:6], *SEALED[:4]]]
    monkeypatch.setattr(fleet_forecasts, "fleet_bases", lambda _: bases)
    monkeypatch.setattr(fleet_forecasts, "seen", lambda *_: Seen("b1", {"b0": 0.1, "b1": 0.9}, 0.75, 7))
    interval = {"value": 0.9, "low": 0.8, "high": 1.0}
    sure = {
        "probabilities": {"b0": 0.2, "b1": 0.8},
        "cannot_say": False,
        "shares": {"b0": interval, "b1": interval},
        "accuracy": {"value": 0.7},
        "collapse_step": {"value": 9.0},
    }
    rows = [{"base": f"f{number:03d}", "arm": "grpo"} | sure for number in SEALED[:3]]
    rows.append(rows[0] | {"base": f"f{SEALED[3]:03d}", "cannot_say": True})
    path = tmp_path / "sealed.json"
    path.write_text(json.dumps({"fitted": fitted(bases), "forecasts": rows}))
    found = score([], path)
    assert (found["runs"], found["bases"], found["cannot_say"]) == (4, 4, 0.25)
    # Six fitting runs, all won by the second in frequency: 1 and 7 of 8 with a pseudo-count a rank.
    assert found["brier"] == pytest.approx((3 * 2 * 0.2**2 + 2 * (1 / 8) ** 2) / 4)
    assert found["rules"]["most_frequent"]["brier"] == pytest.approx(0.5)  # never right: it says one half
    assert found["rules"]["most_accurate"]["brier"] < 1e-6
    assert found["best_rule"] == "most_accurate"
    assert found["coverage_of_final_share"]["value"] == 1.0
    assert found["accuracy_error"]["mean"] == pytest.approx(-0.05)
    assert found["collapse_step_error"] == pytest.approx(2.0)
