"""A part of a recorded run is made once, and read from then on; a record loses no run."""

import json

from data_samples.makers.recorded import kept_part, suites_after
from gemma_ko_lib import runtime


def test_a_part_that_is_there_is_not_made_again(tmp_path):
    made = []
    path = tmp_path / "part.json"
    first = kept_part(path, lambda: made.append(1) or {"비": 1.5})
    second = kept_part(path, lambda: made.append(2))
    assert first == second and made == [1]
    assert first["found"] == {"비": 1.5} and first["minutes"] >= 0 and first["peak_bytes"] > 0


def test_a_record_keeps_the_runs_that_are_not_compared_again(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "samples_dir", lambda: tmp_path)
    monkeypatch.setattr(suites_after, "suites", lambda bench, items: {})
    monkeypatch.setattr(
        suites_after, "judge", lambda *pair: {"grammar": {"minutes": 1.5, "of": list(pair[:2])}}
    )

    def record() -> dict:
        return json.loads((tmp_path / "recorded" / "suites_after.json").read_text("utf-8"))

    suites_after.main(["--continued", "cut", "run", "--no-save"])
    assert not (tmp_path / "recorded").exists()
    suites_after.main(["--continued", "cut", "run"])
    suites_after.main(["--tuned", "cut", "talk"])
    suites_after.main([])
    runs = {name: run["grammar"]["of"] for name, run in record()["runs"].items()}
    assert runs == {"continued": ["cut", "run"], "tuned": ["cut", "talk"]}
    assert record()["minutes"] == 3
