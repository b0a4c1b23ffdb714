"""Results of a sweep: ranking, Pareto fronts, early stopping, verdicts, and truncated files."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pufferc.commands.main import main
from pufferc.config import ConfigError, load_config, merge
from pufferc.loggers import Silent
from pufferc.runs.scores import Score
from pufferc.sweep.objective import best, confirmed, loss, pareto, ranked, value
from pufferc.sweep.plan import Plan, Settings, load_plan
from pufferc.sweep.runner import Sweep
from pufferc.sweep.search import importances, make_search
from pufferc.sweep.space import make_space
from pufferc.sweep.stopping import RULES, Stopping, rungs
from pufferc.sweep.text import report_text, verdict
from pufferc.sweep.trials import BASE, CONFIRM, SEARCH, Trial, TrialFile, read_trials

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


def test_median_stops_runs_below_the_median_of_earlier_runs() -> None:
    rule = Stopping("median")
    assert all(rule.keeps(100, score) for score in (1.0, 9.0, 2.0, 8.0, 5.0))
    assert not rule.keeps(100, 4.0) and rule.keeps(100, 6.0)
    assert rule.keeps(200, -1.0)  # the first trial at this rung


def test_asha_keeps_the_upper_third() -> None:
    scores = np.random.default_rng(1).random(300)
    rule = Stopping("asha")
    kept = [score for score in scores if rule.keeps(100, score)]
    assert 80 < len(kept) < 140 and min(kept[-30:]) > 0.6
    restored = Stopping("asha")
    restored.restore([[(100, float(score))] for score in scores])
    assert restored.keeps(100, 0.99) and not restored.keeps(100, 0.3)


def test_rules_compare_at_fractions_of_the_total_steps() -> None:
    assert rungs("none", 1000) == [] and all(Stopping("none").keeps(1, -1.0) for _ in range(20))
    for rule in RULES:
        found = rungs(rule, 9000)
        assert found == sorted(set(found)) and all(0 < rung < 9000 for rung in found)


def again(number: int, *scores: float) -> list[Trial]:
    return [trial(number, score, phase=CONFIRM, seed=1000 + i) for i, score in enumerate(scores)]


def test_fresh_seeds_decide_instead_of_a_lucky_run() -> None:
    trials = [trial(1, 500.0), trial(2, 480.0), trial(3, 100.0)]
    assert best("score", trials).number == 1
    trials += [*again(1, 100.0, 500.0, 120.0), *again(2, 480.0, 470.0, 481.0), *again(BASE, 300.0, 310.0, 305.0)]
    found = confirmed("score", trials)
    assert [c.number for c in found] == [2, BASE, 1] and best("score", trials).number == 2
    assert found[0].mean == pytest.approx(477.0) and found[0].spread == pytest.approx(6.0827, rel=1e-4)
    assert "run 2 against the base: +172 +-" in verdict("score", found) and verdict("score", found).endswith(": better")
    text = report_text("score", trials, [KEY], None)
    assert "477" in text and "6.083" in text and "3 of 3" in text


def test_verdicts_need_enough_evidence_from_seeds() -> None:
    def say(own: list[float], other: list[float], objective: str = "score") -> str:
        return verdict(objective, confirmed(objective, [*again(BASE, *own), *again(1, *other)]))

    assert say([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]).endswith("no clear difference")
    assert say([500.0, 500.0], [500.0, 500.0]).endswith("no clear difference")
    assert say([10.0, 11.0], [1.0, 2.0]).endswith("worse")
    assert "too few seeds" in say([10.0], [1.0])
    assert "no configuration has a value" in verdict("score", confirmed("score", again(BASE, 1.0)))
    missing = [*again(BASE, 1.0, 2.0), trial(1, None, "failed", phase=CONFIRM), *again(1, 5.0)]
    assert "the base has a value with more of the seeds" in verdict("score", confirmed("score", missing))


def test_a_target_that_no_run_reached_is_reported() -> None:
    text = report_text("steps", [trial(1, 10.0), trial(2, 20.0), trial(3, None, "failed", error="NaN")], [KEY], None)
    assert "2 of 2 did not reach the target" in text and "1 failed" in text
    assert text.index("\n2 ") < text.index("\n1 ")
    text = report_text("score", [trial(n, None, "failed", error="the loss became NaN") for n in (1, 2)], [KEY], None)
    assert "no run finished" in text and "2 x the loss became NaN" in text


# ---- files -------------------------------------------------------------------------------------------------


def write(directory: Path, trials: list[Trial]) -> None:
    file = TrialFile(directory)
    for one in trials:
        file.add(one)
    file.close()


def test_trials_survive_a_write_and_read(tmp_path: Path) -> None:
    trials = [trial(1, 10.0, rungs=((5, 0.5),), at_s=2.0), trial(2, None, "failed", error="x\ny"), *again(1, 3.0)]
    write(tmp_path, trials)
    assert read_trials(tmp_path) == trials
    assert read_trials(tmp_path / "nowhere") == []


def test_a_truncated_last_line_is_ignored_and_removed(tmp_path: Path) -> None:
    write(tmp_path, [trial(1, 10.0)])
    path = tmp_path / "trials.jsonl"
    whole = path.read_bytes()
    for half in (b'{"number": 2, "pha', whole[:-1]):  # the second is complete except for its newline
        path.write_bytes(whole + half)
        assert [t.number for t in read_trials(tmp_path)] == [1]
        write(tmp_path, [trial(3, 1.0)])
        assert [t.number for t in read_trials(tmp_path)] == [1, 3]
    path.write_bytes(b'{"number": 1}\n' + whole)
    with pytest.raises(ConfigError, match="line 1 is not a trial"):
        read_trials(tmp_path)
    path.write_bytes(b"[1]\n")
    with pytest.raises(ConfigError, match="line 1 is not a trial"):
        read_trials(tmp_path)


SPACE = {KEY: "log:0.001:0.1", "train.horizon": "choice:16,32,64", "train.gamma": "logit:0.9:0.99"}


def made(directory: Path, count: int = 40, **settings: Any) -> tuple[Plan, list[Trial]]:
    """A sweep with the best score at a learning rate of 0.02. The score does not depend on the horizon."""
    plan = Plan(CONFIG, make_space(CONFIG, SPACE), Settings(**settings))
    search = make_search("random", plan.space, "score", 1)
    trials = []
    for number in range(1, count + 1):
        params = search.propose(number)
        score = 100.0 - 30.0 * abs(np.log10(params[KEY] / 0.02))
        trials.append(trial(number, float(score), params=params, seconds=1.0 + number % 7, at_s=float(number)))
    trials[4] = dataclasses.replace(trials[4], outcome="stopped")
    trials[5] = dataclasses.replace(trials[5], outcome="failed", score=None, error="the loss became NaN")
    directory.mkdir(exist_ok=True)
    plan.save(directory)
    write(directory, trials)
    return plan, trials


def test_a_report_is_drawn_again_from_the_files(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("tyro")
    _, trials = made(tmp_path / "s", method="grid", jobs=3)
    assert main(["sweep", "--report", str(tmp_path / "s"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    known = max((t for t in trials if t.outcome == "complete"), key=lambda t: t.score.value)
    assert found["best"]["number"] == known.number and len(found["trials"]) == 40
    assert main(["sweep", "--report", str(tmp_path / "s")]) == 0
    text = capsys.readouterr().out
    assert "38 complete, 1 stopped early, 1 failed" in text and "the best of many runs looks better than it is" in text
    rows = [line.split() for line in text.splitlines()]
    assert next(row for row in rows if row[:1] == [str(known.number)])[1] == f"{known.score.value:.2f}"
    from PIL import Image

    with Image.open(tmp_path / "s" / "report.png") as picture:
        assert picture.size[0] > 1000 and len(picture.convert("RGB").resize((200, 100)).getcolors(20_000)) > 20


def test_a_plan_survives_a_save_and_load(tmp_path: Path) -> None:
    config = merge(CONFIG, {"train": {"learning_rate": 0.123}, "env": {"max_steps": 77}})
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, target_score=None))
    plan = Plan(config, make_space(config, SPACE), Settings(method="grid", budget_s=3.5))
    plan.save(tmp_path)
    assert load_plan(tmp_path, {}) == plan
    assert load_plan(tmp_path, {"jobs": 7}).settings.jobs == 7
    (tmp_path / "sweep.json").write_text('{"game": "cartpole"}')
    with pytest.raises(ConfigError, match="is damaged"):
        load_plan(tmp_path, {})
    with pytest.raises(ConfigError, match="no sweep in"):
        load_plan(tmp_path / "none", {})


def test_runs_differ_in_seeds_and_fresh_ones_are_the_same_for_all() -> None:
    plan = Plan(CONFIG, make_space(CONFIG, SPACE), Settings())
    search, fresh = {plan.seed(n) for n in range(1, 1000)}, {plan.seed(n, c) for n in range(1000) for c in range(5)}
    assert len(search) == 999 and len(fresh) == 5 and not search & fresh
    prepared = plan.prepared(CONFIG, 3, None)
    assert (prepared.train.threads, prepared.vec.num_threads, prepared.train.target_score) == (1, 1, None)
    timed = dataclasses.replace(plan, settings=Settings(objective="time"))
    assert timed.prepared(CONFIG, 3, None).train.target_score == CONFIG.train.target_score


def test_a_budget_reserves_time_for_fresh_seeds(tmp_path: Path) -> None:
    """40 runs in 40 s, of 1 to 7 s each: four configurations with three seeds each take some 12 to 84 s."""

    def over(**settings: Any) -> str | None:
        directory = tmp_path / str(len(list(tmp_path.iterdir())))
        plan, _ = made(directory, **settings)
        sweep = Sweep(plan, directory, Silent(0))
        sweep.file.close()
        return sweep._search_is_over()

    assert over() is None and over(budget_s=1000.0) is None
    assert "budget of 30 s" in str(over(budget_s=30.0)) and "budget of 30 s" in str(over(budget_s=30.0, confirm=0))
    assert over(budget_s=52.0) is not None and over(budget_s=52.0, confirm=0) is None
    assert over(budget_s=85.0, jobs=1, confirm_seeds=1000) is None  # half of the budget is always for the search


# ---- Optuna ------------------------------------------------------------------------------------------------


def loop(method: str, count: int, seed: int = 1) -> list[float]:
    """Scores of an artificial problem, in the order of the proposals."""
    search = make_search(method, make_space(CONFIG, SPACE), "score", seed)
    scores = []
    for number in range(1, count + 1):
        params = search.propose(number)
        miss = abs(np.log10(params[KEY] / 0.02)) + 10 * abs(params["train.gamma"] - 0.97)
        scores.append(-float(miss) - (params["train.horizon"] != 32))
        search.learn(trial(number, scores[-1], params=params))
    return scores


def test_tpe_learns_and_repeats() -> None:
    pytest.importorskip("optuna")
    found = loop("tpe", 60)
    assert found == loop("tpe", 60) and found != loop("tpe", 60, seed=2)
    assert np.mean(found[30:]) > np.mean(loop("random", 60)[30:]) + 0.3


def test_tpe_continues_from_earlier_results() -> None:
    """Trials from before a resume count, including stopped and failed trials and adjusted sizes."""
    pytest.importorskip("optuna")
    search = make_search("tpe", make_space(CONFIG, {**SPACE, "train.minibatch_size": [512, 2000]}), "score", 1)
    for number in range(1, 31):
        horizon = (16, 32, 64)[number % 3]
        params = {KEY: 0.02, "train.horizon": horizon, "train.gamma": 0.97, "train.minibatch_size": 2048}
        outcome = {3: "failed", 4: "stopped"}.get(number, "complete")
        score = 100.0 if horizon == 32 else 1.0
        search.learn(trial(number, score, outcome, params=params, rungs=((10, 1.0),)))
    found = []
    for number in range(31, 61):
        found.append(search.propose(number))
        score = 100.0 if found[-1]["train.horizon"] == 32 else 1.0
        search.learn(trial(number, score, params=found[-1]))
    assert np.mean([params["train.horizon"] == 32 for params in found]) > 0.5
    assert {params["train.minibatch_size"] for params in found} <= {512, 2000}


def test_importance_finds_the_fields_that_matter(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    plan, trials = made(tmp_path, 80)
    shares = importances("random", plan.space, "score", trials)
    assert shares[KEY] > 0.6 and shares[KEY] == max(shares.values())
    assert importances("random", plan.space, "score", trials[:8]) is None  # too few trials
    assert importances("tpe", plan.space, "score", trials) is None  # TPE stays near the best, so values vary little
    same = [dataclasses.replace(t, score=Score(1.0, "evaluation", 9)) for t in trials]
    assert importances("random", plan.space, "score", same) is None


def test_without_optuna_the_install_command_is_named(monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    monkeypatch.setitem(sys.modules, "optuna", None)
    plan, trials = made(tmp_path / "s")
    assert importances("random", plan.space, "score", trials) is None
    assert main(["sweep", "cartpole", "--method", "tpe", "--directory", str(tmp_path / "new")]) == 2
    assert "pip install 'pufferc[sweep]'" in capsys.readouterr().err and not (tmp_path / "new").exists()
