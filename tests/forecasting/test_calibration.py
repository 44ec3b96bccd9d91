"""The shipped calibration, and what a forecast says of its own limits."""

from dataclasses import replace

from echochamber.forecasting.calibration import as_json, calibration


def test_the_shipped_file_says_what_it_was_fitted_on():
    found = calibration()
    assert found.num_runs >= found.num_bases >= 1
    assert found.algorithms
    assert as_json(found).startswith('{\n "gains": {')


def test_a_forecast_without_a_track_record_says_so():
    found = replace(calibration(), num_scored=0)
    (warning,) = found.warnings(found.parameters, found.algorithms[0], found.optimizer)
    assert "no track record" in warning
    scored = replace(found, num_scored=12)
    assert scored.warnings(found.parameters, found.algorithms[0], found.optimizer) == []


def test_what_was_never_run_is_named():
    found = replace(calibration(), num_scored=12)
    far = found.warnings(100 * found.parameters, "ppo_of_mine", "muon")
    assert [text for text in far if f"{100 * found.parameters:,} parameters" in text]
    assert [text for text in far if "No run of ppo_of_mine" in text]
    assert [text for text in far if "not muon" in text]
