"""Results of a sweep: ranking, Pareto fronts, early stopping, verdicts, and truncated files."""

from __future__ import annotations

import dataclasses
import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")
pytest.importorskip("sklearn")

# ruff: noqa: E402
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pufferc.config import Config, ConfigError, load_config, merge
from pufferc.runs.scores import Score
from pufferc.sweep import study as study_module
from pufferc.sweep.confirm import next_confirmation
from pufferc.sweep.objective import best, confirmed, loss, pareto, ranked, value
from pufferc.sweep.plan import Plan, Settings, differences, read_plan
from pufferc.sweep.space import make_space
from pufferc.sweep.study import Claim, Purpose, Study, importances, load_sweep
from pufferc.sweep.text import best_comment, report_text, verdict
from pufferc.sweep.trials import BASE, CONFIRM, SEARCH, Trial

CONFIG = load_config("cartpole")
KEY = "train.learning_rate"


def trial(number: int, score: float | None = None, outcome: str = "complete", **fields: Any) -> Trial:
    fields = {"phase": SEARCH, "seed": number, "params": {KEY: 0.01 * number}, "seconds": 1.0, "steps": 100} | fields
    return Trial(
        number, outcome=outcome, score=None if score is None else Score(score, "evaluation", 100, 1.0), **fields
    )


def test_each_objective_has_a_ranking() -> None:
    trials = [
        trial(1, 10.0, seconds=3.0),
        trial(2, 30.0, "target", seconds=2.0, steps=500),
        trial(3, 30.0, "target", seconds=1.0, steps=900),
        trial(4, 99.0, "stopped"),
        trial(5, None, "failed", error="x"),
        trial(6, 20.0),
    ]
    assert [t.number for t in ranked("score", trials)] == [3, 2, 6, 1]  # equal scores are ranked by cost
    assert [t.number for t in ranked("steps", trials)] == [2, 3, 6, 1]  # misses are ranked by score
    assert [t.number for t in ranked("time", trials)] == [3, 2, 6, 1]
    assert [t.number for t in ranked("pareto", trials)] == [3, 2, 6, 1]
    assert value("steps", trials[0]) is None and value("score", trials[3]) is None
    assert loss("steps", trials[4]) > loss("steps", trials[0]) > loss("steps", trials[1])


@given(st.lists(st.tuples(st.floats(0.1, 100.0), st.floats(-5.0, 5.0)), min_size=1, max_size=30))
def test_no_run_dominates_the_front(points: list[tuple[float, float]]) -> None:
    trials = [trial(i, score, seconds=seconds) for i, (seconds, score) in enumerate(points, 1)]
    front = {t.number for t in pareto(trials)}
    for one in trials:
        beaten = any(
            other.seconds <= one.seconds
            and other.score.value >= one.score.value
            and (other.seconds, other.score.value) != (one.seconds, one.score.value)
            for other in trials
        )
        if one.number in front:
            assert not beaten
        else:
            assert beaten or any(trials[n - 1].score == one.score for n in front)


def again(number: int, *scores: float) -> list[Trial]:
    return [trial(number, score, phase=CONFIRM, seed=1000 + i) for i, score in enumerate(scores)]


def test_fresh_seeds_decide_instead_of_a_lucky_run() -> None:
    trials = [trial(1, 500.0), trial(2, 480.0), trial(3, 100.0)]
    assert best("score", trials, 3) is None  # one seed says too little
    trials += [*again(1, 100.0, 500.0, 120.0), *again(2, 480.0, 470.0, 481.0), *again(BASE, 300.0, 310.0, 305.0)]
    trials += again(3, 999.0)  # not complete
    found = confirmed("score", trials, 3)
    assert [c.number for c in found] == [2, BASE, 1, 3]
    assert best("score", trials, 3) == found[0] and not found[3].complete
    assert found[0].mean == pytest.approx(477.0) and found[0].spread == pytest.approx(6.0827, rel=1e-4)
    assert "run 2 against the base: +172 +-" in verdict("score", found) and verdict("score", found).endswith(": better")
    text = report_text("score", trials, [KEY], 3, None)
    assert "477" in text and "6.083" in text and "3 of 3" in text
    comment = best_comment("score", found[0], ranked("score", trials))
    assert "mean score 477" in comment and "spread 6.083" in comment and "1.00 s a run" in comment
    assert "seeds 1000, 1001, 1002" in comment and all(line.startswith("# ") for line in comment.splitlines())
    assert "not confirmed" in best_comment("score", None, ranked("score", trials))


def test_a_challenger_gets_one_fresh_seed_after_the_other() -> None:
    """The base comes first. A run that beats the best mean is confirmed, and dropped after one clearly worse seed."""
    settings = Settings(confirm=2, confirm_seeds=2)

    def due(trials: list[Trial], final: bool = False) -> tuple[int, int] | None:
        found = next_confirmation(settings, trials, final=final)
        return None if found is None else (found.number, found.confirmation)

    search = [trial(1, 50.0), trial(2, 20.0)]
    assert due([]) == (BASE, 0) and due([*search, *again(BASE, 30.0)]) == (BASE, 1)
    base = again(BASE, 30.0, 40.0)
    assert due([trial(2, 20.0), *base]) is None  # not better than the base's 35
    assert due([*search, *base]) == (1, 0)
    assert due([*search, *base, trial(1, None, "running", phase=CONFIRM)]) is None  # its seed is not done
    assert due([*search, *base, trial(1, None, "lost", phase=CONFIRM)]) == (1, 0)
    assert due([*search, *base, *again(1, 31.0)]) == (1, 1)
    assert due([*search, *base, *again(1, 29.0)]) is None  # worse than both of the base
    assert due([*search, *base, *again(1, 29.0)], final=True) == (1, 1)
    assert due([*search, *base, *again(1, 29.0, 60.0)], final=True) == (2, 0)
    assert due([*search, *base, *again(1, 29.0, 60.0), *again(2, 1.0, 2.0)], final=True) is None
    assert next_confirmation(Settings(confirm=0), search, final=True) is None


def test_two_objectives_confirm_points_of_the_front() -> None:
    settings = Settings(objective="pareto", stop="none", confirm=2, confirm_seeds=1)
    search = [trial(n, 10.0 * n, seconds=float(n)) for n in range(1, 5)]
    assert next_confirmation(settings, [*search, *again(BASE, 1.0)], final=False) is None
    found = next_confirmation(settings, [*search, *again(BASE, 1.0)], final=True)
    assert found is not None and found.number == 4
    found = next_confirmation(settings, [*search, *again(BASE, 1.0), *again(4, 40.0)], final=True)
    assert found is not None and found.number == 2


def test_verdicts_need_enough_evidence_from_seeds() -> None:
    def say(own: list[float], other: list[float], objective: str = "score") -> str:
        return verdict(objective, confirmed(objective, [*again(BASE, *own), *again(1, *other)], 2))

    assert say([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]).endswith("no clear difference")
    assert say([500.0, 500.0], [500.0, 500.0]).endswith("no clear difference")
    assert say([10.0, 11.0], [1.0, 2.0]).endswith("worse")
    assert "too few seeds" in say([10.0], [1.0])
    assert "no configuration has a value" in verdict("score", confirmed("score", again(BASE, 1.0), 1))
    missing = [*again(BASE, 1.0, 2.0), trial(1, None, "failed", phase=CONFIRM), *again(1, 5.0)]
    assert "the base has a value with more of the seeds" in verdict("score", confirmed("score", missing, 2))


def test_a_target_that_no_run_reached_is_reported() -> None:
    text = report_text("steps", [trial(1, 10.0), trial(2, 20.0), trial(3, None, "failed", error="NaN")], [KEY], 3, None)
    assert "2 of 2 did not reach the target" in text and "1 failed" in text
    assert text.index("\n2 ") < text.index("\n1 ")
    text = report_text("score", [trial(n, None, "failed", error="the loss became NaN") for n in (1, 2)], [KEY], 3, None)
    assert "no run finished" in text and "2 x the loss became NaN" in text


# ---- the study ---------------------------------------------------------------------------------------------

SPACE = {KEY: "log:0.001:0.1", "train.horizon": "choice:16,32,64", "train.gamma": "logit:0.9:0.99"}


def make_plan(config: Config = CONFIG, **settings: Any) -> Plan:
    return Plan(config, make_space(config, SPACE), Settings(**settings))


def begin(study: Study) -> Claim:
    """A run of the search."""
    return study.propose(study.begin(Purpose(SEARCH)))


def search(journal: Path, plan: Plan, count: int) -> list[Trial]:
    """Runs of an artificial problem: best at a learning rate of 0.02, a gamma of 0.97 and a horizon of 32."""
    study = Study(journal, plan, lambda: 0.5)
    for _ in range(count):
        claim = begin(study)
        params = claim.params
        miss = abs(np.log10(params[KEY] / 0.02)) + 10 * abs(params["train.gamma"] - 0.97)
        score = Score(-float(miss) - (params["train.horizon"] != 32), "evaluation", 100)
        study.start(claim, params)
        seconds = params["train.horizon"] / 16
        result = {"outcome": "complete", "score": score.as_dict(), "steps": 100, "seconds": seconds, "curve": []}
        assert study.end(claim, result) is not None
    found = study.trials()
    study.close()
    return found


def scores(trials: list[Trial]) -> list[float]:
    return [t.score.value for t in trials if t.score is not None]


def test_a_plan_survives_a_save_and_load() -> None:
    config = merge(CONFIG, {"train": {"learning_rate": 0.123}, "env": {"max_steps": 77}})
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, target_score=None))
    plan = make_plan(config, method="random", confirm=5)
    assert read_plan(json.loads(json.dumps(plan.as_saved())), "x") == plan
    other = make_plan(objective="time")
    found = " ".join(differences(other.as_saved(), plan.as_saved()))
    assert "objective is 'score' in the study, and 'time' here" in found and "train.learning_rate is 0.123" in found
    with pytest.raises(ConfigError, match="no plan of pufferc sweep"):
        read_plan({"game": "cartpole"}, "x")


def test_runs_differ_in_seeds_and_fresh_ones_are_the_same_for_all() -> None:
    plan = make_plan()
    own, fresh = {plan.search_seed(n) for n in range(1000)}, {plan.confirm_seed(c) for c in range(5)}
    assert len(own) == 1000 and len(fresh) == 5 and not own & fresh
    prepared = plan.prepared(CONFIG, 3)
    assert (prepared.train.threads, prepared.vec.num_threads, prepared.train.target_score) == (1, 1, None)
    assert make_plan(objective="time").prepared(CONFIG, 3).train.target_score == CONFIG.train.target_score


def test_a_study_keeps_everything_that_a_run_says(tmp_path: Path) -> None:
    plan = make_plan()
    study = Study(tmp_path / "j", plan, lambda: 0.0)
    claim = study.propose(study.begin(Purpose(CONFIRM, BASE, 1)))
    assert claim.purpose == Purpose(CONFIRM, BASE, 1) and claim.seed == plan.confirm_seed(1) and claim.params == {}
    study.start(claim, {})
    score = Score(5.0, "evaluation", 9, 0.5)
    result = {"outcome": "complete", "score": score.as_dict(), "steps": 7, "seconds": 2.0, "curve": [[3, 0.5, 1.0]]}
    study.end(claim, {**result, "run": "confirm/x"})
    _, (found,) = load_sweep(tmp_path / "j")
    assert (found.number, found.phase, found.outcome, found.steps, found.seconds) == (BASE, CONFIRM, "complete", 7, 2.0)
    assert found.score == score and found.curve == ((3, 0.5, 1.0),) and found.run == "confirm/x"
    (line,) = (tmp_path / "trials.jsonl").read_text().splitlines()
    assert json.loads(line)["score"]["value"] == 5.0
    assert study.end(claim, result) is None  # another process marked it as lost


def test_a_worker_that_dies_costs_its_run(tmp_path: Path, monkeypatch: Any) -> None:
    """One that closed its file is noticed at once, one whose file stops changing after a while."""
    plan = make_plan()
    dead, other = (Study(tmp_path / "j", plan, lambda: 0.0) for _ in range(2))
    first, second = begin(dead), begin(dead)
    for claim in (first, second):
        dead.start(claim, {})
    assert other.lose_dead() == []  # first seen now
    monkeypatch.setattr(study_module, "_DEAD_S", -1.0)
    assert dead.lose_dead() == [] and other.lose_dead() == [first.trial.number, second.trial.number]
    assert [trial.outcome for trial in other.trials()] == ["lost", "lost"]
    assert dead.end(first, {"outcome": "failed", "error": "x"}) is None
    monkeypatch.undo()
    third = begin(dead)
    dead.start(third, {})
    dead.close()
    assert other.lose_dead() == [third.trial.number]


def test_processes_that_share_a_study_draw_different_values(tmp_path: Path) -> None:
    plan = make_plan(method="random")
    one, two = (Study(tmp_path / "j", plan, lambda: 0.0) for _ in range(2))
    rates = {begin(study).params[KEY] for _ in range(10) for study in (one, two)}
    assert len(rates) == 20
    again = Study(tmp_path / "k", plan, lambda: 0.0)
    assert {begin(again).params[KEY] for _ in range(20)} == rates  # by seed and number only


def test_another_sweep_is_refused(tmp_path: Path) -> None:
    Study(tmp_path / "j", make_plan(), lambda: 0.0).close()
    with pytest.raises(ConfigError, match="is another sweep: objective is 'score' in the study, and 'time' here"):
        Study(tmp_path / "j", make_plan(objective="time"), lambda: 0.0)
    other = load_config("pong")
    with pytest.raises(ConfigError, match="game is 'cartpole' in the study, and 'pong' here"):
        Study(tmp_path / "j", make_plan(other), lambda: 0.0)


def test_half_written_records_cost_themselves_only(tmp_path: Path) -> None:
    plan, journal = make_plan(method="random"), tmp_path / "j"
    search(journal, plan, 3)
    whole = journal.read_bytes()
    for half in (b'{"op_code": 8, "tri', b'{"op_code": 4}'):
        journal.write_bytes(whole + half)
        assert len(load_sweep(journal)[1]) == 3
        assert len(search(journal, plan, 1)) == 4
    journal.write_bytes(b"not a journal\nat all\n")
    with pytest.raises(ConfigError, match="is not a journal of Optuna"):
        load_sweep(journal)
    journal.write_bytes(b"[1]\n[2]\n")
    with pytest.raises(ConfigError, match="is not a journal of Optuna"):
        load_sweep(journal)
    journal.write_bytes(b"")
    with pytest.raises(ConfigError, match="has no study of pufferc sweep"):
        load_sweep(journal)


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    """A write that fails halfway is undone, and the study works again when there is room."""
    plan, journal = make_plan(method="random"), tmp_path / "j"
    search(journal, plan, 2)
    study, whole = Study(journal, plan, lambda: 0.0), journal.read_bytes()

    def half(self: Any, logs: Any) -> None:
        with journal.open("ab") as file:
            file.write(b'{"op_code": 4, "stu')
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(JournalFileBackend, "append_logs", half)
        with pytest.raises(OSError, match=r"cannot write .*No space left"):
            begin(study)
    assert journal.read_bytes() == whole
    assert len(search(journal, plan, 1)) == 3


def test_a_study_of_someone_else_is_refused(tmp_path: Path) -> None:
    """Optuna's journals may have other studies, and runs that pufferc sweep did not make."""
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "j")))
    optuna.create_study(storage=storage, study_name="theirs")
    with pytest.raises(ConfigError, match="has no study of pufferc sweep"):
        load_sweep(tmp_path / "j")
    study = optuna.create_study(storage=storage, study_name="sweep")
    with pytest.raises(ConfigError, match="no plan of pufferc sweep"):
        load_sweep(tmp_path / "j")
    study.set_user_attr("plan", make_plan().as_saved())
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert load_sweep(tmp_path / "j")[1] == []
    study.add_trial(optuna.trial.create_trial(value=1.0, user_attrs={"purpose": 3}))
    with pytest.raises(ConfigError, match="a run of the study is not one of pufferc sweep"):
        load_sweep(tmp_path / "j")


@pytest.mark.parametrize(("stop", "expected"), [("median", (4, 16)), ("hyperband", (4, 20)), ("none", (0, 0))])
def test_pruners_stop_bad_runs(stop: str, expected: tuple[int, int], tmp_path: Path) -> None:
    """The runs' scores are known from the start, and do not change during a run."""
    study = Study(tmp_path / "j", make_plan(method="random", stop=stop), lambda: 0.0)
    values, stopped = np.random.default_rng(1).permutation(24), []
    for score in values:
        claim = begin(study)
        study.start(claim, claim.params)
        going = all(study.keeps(claim, point, float(score)) for point in study.plan.points())
        outcome = {"outcome": "complete" if going else "stopped", "steps": 1, "seconds": 1.0}
        study.end(claim, {**outcome, "score": Score(float(score), "evaluation", 9).as_dict()})
        stopped += [] if going else [score]
    assert expected[0] <= len(stopped) <= expected[1]
    assert not stopped or np.mean(stopped) < np.mean(values)
    assert sum(t.outcome == "stopped" for t in study.trials()) == len(stopped)


@pytest.mark.parametrize("method", ["tpe", "cost"])
def test_methods_learn_and_repeat(method: str, tmp_path: Path) -> None:
    plan = make_plan(method=method)
    found = scores(search(tmp_path / "j", plan, 45))
    assert np.mean(found[30:]) > np.mean(scores(search(tmp_path / "r", make_plan(method="random"), 45))[30:]) + 0.3
    if method == "tpe":
        assert found == scores(search(tmp_path / "k", plan, 45))


def test_methods_continue_from_the_journal(tmp_path: Path) -> None:
    for method in ("tpe", "cost"):
        plan = make_plan(method=method)
        for _ in range(3):
            found = search(tmp_path / method, plan, 12)
        assert np.mean(scores(found)[24:]) > np.mean(scores(found)[:10]) + 0.3


def test_importance_finds_the_fields_that_matter(tmp_path: Path) -> None:
    plan = make_plan(method="random")
    trials = search(tmp_path / "j", plan, 80)
    shares = importances(plan, trials)
    assert shares is not None and set(shares) == set(SPACE) and max(shares, key=shares.__getitem__) != "train.gamma"
    assert importances(plan, trials[:8]) is None  # too few trials
    assert importances(make_plan(method="tpe"), trials) is None  # TPE stays near the best, so values vary little
    same = [dataclasses.replace(t, score=Score(1.0, "evaluation", 9)) for t in trials]
    assert importances(plan, same) is None


def test_a_study_opens_in_optuna_dashboard(tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    search(tmp_path / "j", make_plan(), 12)
    app = dashboard.wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "j"))))

    def get(path: str) -> Any:
        environment: dict[str, Any] = {}
        setup_testing_defaults(environment)
        environment["PATH_INFO"], _, environment["QUERY_STRING"] = path.partition("?")
        answers: list[str] = []
        body = b"".join(
            app(environment, lambda status, headers, error=None: answers.append(status) or (lambda _: None))
        )
        assert answers == ["200 OK"], (path, answers, body)
        return json.loads(body)

    (summary,) = get("/api/studies")["study_summaries"]
    assert summary["study_name"] == "sweep"
    trials = get(f"/api/studies/{summary['study_id']}?after=0")["trials"]
    assert len(trials) == 12 and all(trial["state"] == "Complete" for trial in trials)
    assert {param["name"] for param in trials[0]["params"]} == {d.name for d in make_plan().space}


def test_without_optuna_the_install_command_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tyro")
    code = (
        "import sys; sys.modules['optuna'] = None; from pufferc.commands.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["sweep", "cartpole", "--directory", str(tmp_path / "new")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'pufferc[sweep]'" in done.stderr and not (tmp_path / "new").exists()
