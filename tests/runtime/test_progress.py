"""Progress that suits where it is read."""

from gemma_ko_lib.runtime import Progress, progress


def test_progress_in_a_log_is_lines_not_bars(capsys, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress(10, "Training", "updates") as bar:
        for _ in range(4):
            bar.update(1, "loss 1.0")
    said = capsys.readouterr().err
    assert "Training: 2/10 updates" in said and "s left loss 1.0" in said and "\r" not in said


def test_a_run_of_a_day_leaves_a_log_that_can_be_read(capsys, monkeypatch):
    clock = iter(range(0, 100_000, 5))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress(None, "Training", "updates") as bar:
        for _ in range(86_400 // 5):
            bar.update()
    assert 200 < len(capsys.readouterr().err.splitlines()) < 500
