"""A part of a recorded run is made once, and read from then on."""

from data_samples.makers.recorded import kept_part


def test_a_part_that_is_there_is_not_made_again(tmp_path):
    made = []
    path = tmp_path / "part.json"
    first = kept_part(path, lambda: made.append(1) or {"비": 1.5})
    second = kept_part(path, lambda: made.append(2))
    assert first == second and made == [1]
    assert first["found"] == {"비": 1.5} and first["minutes"] >= 0 and first["peak_bytes"] > 0
