"""What `timetrial doctor` says of data."""

from timetrial.harness.commands.doctor import _data


def test_data_that_are_computed_are_not_called_found_and_others_are_missed(tmp_path):
    said = dict(_data(tmp_path))
    assert said.pop("data modular_division").startswith("computed, without any file: tokens (")
    assert len(said) > 8 and all(finding.startswith("missing: ") for finding in said.values())
