"""Whole runs: files on disk, bit-identical resume, interruption, NaN, weights-only starts, and the target score."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import SMALL_BATCH as BATCH
from conftest import needs_lander, small_config
from pufferc.config import Config, ConfigError, load_config, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.loggers import Progress  # noqa: E402
from pufferc.runs.checkpoint import CheckpointError, list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.runs.directory import checkpoint_score  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training import run as train_module  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings  # noqa: E402
from pufferc.training.from_checkpoint import play_checkpoint  # noqa: E402
from pufferc.training.hardware import torch_settings  # noqa: E402
from pufferc.training.optimizers import Adam, FusedMuon, Muon  # noqa: E402
from pufferc.training.resolve import resolve  # noqa: E402
from pufferc.training.run import Result, train  # noqa: E402
from pufferc.training.trainer import Trainer, make_optimizer  # noqa: E402

UPDATES = 6


def small(name: str = "cartpole", **fields: Any) -> Config:
    config = small_config(name, updates=UPDATES, **{"threads": 2, "keep_checkpoints": 0, **fields})
    return merge(config, {"vec": {"num_threads": 2}})


def run(tmp_path: Path, config: Config | None = None, **options: Any) -> Result:
    return train(config, runs=tmp_path / "runs", quiet=True, **options)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]


def tensors(path: Path) -> dict[str, torch.Tensor]:
    loaded = load_checkpoint(path)
    return {**loaded.policy, **loaded.trainer}


def assert_equal(a: Path, b: Path) -> None:
    first, second = tensors(a), tensors(b)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_a_run_writes_its_files(tmp_path: Path) -> None:
    config = small()
    result = run(tmp_path, config)
    assert (result.outcome, result.steps, result.evaluation) == ("complete", UPDATES * BATCH, None)
    assert [path.name for path in list_checkpoints(result.run)] == [
        f"step_{update * BATCH:012d}" for update in range(1, UPDATES + 1)
    ]
    assert json.loads((result.run / "machine.json").read_text())["torch"] == torch.__version__
    saved = load_config("cartpole", result.run / "config.toml")
    assert saved == dataclasses.replace(config, train=saved.train) and saved.train.horizon == 16
    log = lines(result)
    assert [line["update"] for line in log] == list(range(1, UPDATES + 1))
    assert len({tuple(line) for line in log}) == 1
    assert {"steps", "sps", "time_s", "policy_loss", "entropy", "explained_variance", "score"} <= set(log[0])
    assert {"seconds_policy", "seconds_env", "seconds_learn", "evaluation_score"} <= set(log[0])
    assert log[0]["evaluation_score"] is None


def test_an_update_without_a_finished_episode_logs_null(tmp_path: Path) -> None:
    config = dataclasses.replace(small("breakout", total_steps=2 * BATCH), env={})
    log = lines(run(tmp_path, config))
    assert log[0]["episodes"] == 0 and log[0]["score"] is None and log[0]["episode_length"] is None


@pytest.mark.parametrize("name", ["cartpole", "squared"])
@pytest.mark.parametrize("fields", [{}, {"optimizer": "adam", "learning_rate": 0.003}, {"precision": "float32"}])
def test_a_resumed_run_is_bit_identical(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    whole = run(tmp_path, small(name, **fields))
    last = list_checkpoints(whole.run)[-1]
    for at in (0, 3):
        again = run(tmp_path / str(at), small(name, **fields))
        keep = list_checkpoints(again.run)[at]
        for path in list_checkpoints(again.run)[at + 1 :]:
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        resumed = run(tmp_path, None, resume=keep)
        assert resumed.run == again.run and resumed.steps == UPDATES * BATCH
        assert_equal(list_checkpoints(resumed.run)[-1], last)
        scores = [[checkpoint_score(path) for path in list_checkpoints(result.run)] for result in (whole, resumed)]
        assert scores[0] == scores[1] and scores[0][-1] is not None, "so the same checkpoint is the best one"
        timeless = [
            [
                {k: v for k, v in line.items() if not k.startswith("seconds") and k not in ("sps", "time_s")}
                for line in lines(result)
            ]
            for result in (whole, resumed)
        ]
        assert timeless[0] == timeless[1]
        times = [line["time_s"] for line in lines(resumed)]
        assert times == sorted(times)  # times continue across all parts of the run


def test_more_steps_extend_a_run_and_its_schedule(tmp_path: Path) -> None:
    first = run(tmp_path, small(schedule="linear"))
    changes = {"train.total_steps": 2 * UPDATES * BATCH, "train.loggers": ["tensorboard"], "train.learning_rate": 0.05}
    longer = run(tmp_path, None, resume=list_checkpoints(first.run)[-1], changes=changes)
    assert longer.run == first.run and longer.steps == 2 * UPDATES * BATCH
    config = load_config("cartpole", longer.run / "config.toml")
    assert config.train.total_steps == longer.steps and config.train.loggers == ("tensorboard",)
    assert (longer.run / "tensorboard").is_dir()
    rates = [line["learning_rate"] for line in lines(longer)]
    assert rates[UPDATES] == pytest.approx(0.05 * 0.5) and rates[-1] == pytest.approx(0.05 / (2 * UPDATES))
    again = run(tmp_path, None, resume=list_checkpoints(longer.run)[-2])
    assert again.steps == longer.steps, "a changed setting is part of later checkpoints"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train.learning_rate": 0.01}, r"train\.learning_rate is 0\.05, got 0\.01\. Only these may change"),
        ({"policy.hidden_size": 9, "train.epochs": 2}, r"policy\.hidden_size is \d+, got 9\. Only"),
        ({"env.max_steps": 3}, r"env\.max_steps is \d+, got 3"),
        ({"train.total_steps": BATCH}, rf"train\.total_steps must be at least the {UPDATES * BATCH} steps"),
        ({"train.gama": 1.0}, r"unknown field train\.gama; did you mean 'gamma'"),
    ],
)
def test_a_resumed_run_keeps_its_settings(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    last = list_checkpoints(run(tmp_path, small()).run)[-1]
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, None, resume=last, changes=changes)


@needs_lander
def test_a_run_whose_directory_is_removed_saves_beside_it(tmp_path: Path) -> None:
    class Removing(Progress):
        def note(self, line: Mapping[str, Any], *, last: bool = False) -> None:
            if line["update"] == 2:
                (folder,) = tmp_path.iterdir()
                shutil.rmtree(folder)

    config = small()
    with pytest.raises(FileNotFoundError, match="was removed or moved while it was being trained") as error:
        train(config, runs=tmp_path, display=Removing(config.train.total_steps))
    (rescued,) = tmp_path.iterdir()
    (path,) = list_checkpoints(rescued)
    assert str(path) in str(error.value)
    assert train(None, runs=tmp_path, resume=path).steps == UPDATES * BATCH


def test_unsavable_games_are_reset_in_a_resumed_run(tmp_path: Path, capsys: Any) -> None:
    whole = run(tmp_path, small("lander"))
    first, last = list_checkpoints(whole.run)[0], list_checkpoints(whole.run)[-1]
    for path in list_checkpoints(whole.run)[1:]:
        shutil.rmtree(path)
    resumed = train(None, runs=tmp_path, resume=first)
    assert resumed.run == whole.run and resumed.steps == UPDATES * BATCH
    assert list_checkpoints(resumed.run)[-1] == last
    assert capsys.readouterr().err.count("games of lander cannot be saved") == 1
    assert [line["update"] for line in lines(resumed)] == list(range(1, UPDATES + 1))


def test_results_depend_on_the_seed_and_not_on_game_threads(tmp_path: Path) -> None:
    one = run(tmp_path / "1", small())
    other = run(tmp_path / "2", merge(small(), {"vec": {"num_threads": 1}}))
    seeded = run(tmp_path / "3", small(seed=2))
    paths = [list_checkpoints(result.run)[-1] for result in (one, other, seeded)]
    assert_equal(paths[0], paths[1])
    assert not torch.equal(tensors(paths[0])["output.weight"], tensors(paths[2])["output.weight"])


def test_every_random_stream_comes_from_the_seed() -> None:
    trainers = [Trainer(small(seed=seed)) for seed in (2, 2, 3)]
    for trainer in trainers:
        trainer.env.close()
    assert [trainer.env.np_random_seed for trainer in trainers] == [2, 2, 3]
    orders = [torch.randperm(100, generator=trainer.generator).tolist() for trainer in trainers]
    weights = [trainer.policy.state_dict()["output.weight"] for trainer in trainers]
    assert orders[0] == orders[1] != orders[2]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_settings_and_step_numbers_reach_collect_and_optimise(monkeypatch: Any) -> None:
    seen: dict[str, list[Any]] = {"collect": [], "advantages": []}

    def spy(name: str) -> Any:
        original = getattr(ppo, name)

        def called(*arguments: Any, **options: Any) -> Any:
            seen[name].append(options or arguments[2:])
            return original(*arguments, **options)

        return called

    for name in seen:
        monkeypatch.setattr(ppo, name, spy(name))
    fields = {"gamma": 0.9, "gae_lambda": 0.8, "reward_clamp": 0.5, "seed": 7}
    trainer = Trainer(small(normalize_observations=True, normalize_rewards=True, kernels="torch", **fields))
    trainer.start()
    for _ in range(3):
        trainer.step()
    trainer.env.close()
    assert {options["seed"] for options in seen["collect"]} == {7}
    first, *steps = [options["first_step"] for options in seen["collect"]]
    assert steps == [0, 16, 32] and first > 2**60  # the statistics rollout uses no step number of the run
    for settings, reward_factor, bonus in seen["advantages"]:
        assert (settings.gamma, settings.gae_lambda, settings.reward_clamp) == (0.9, 0.8, 0.5)
        assert reward_factor not in (0.0, 1.0) and bonus is None


def test_a_checkpoint_contains_the_alive_mask(tmp_path: Path) -> None:
    trainer, other = Trainer(small()), Trainer(small())
    trainer.start()
    trainer.step()
    pattern = torch.arange(32) % 3 > 0
    trainer.rollout.alive[-1] = pattern
    path = trainer.save(tmp_path, {"wall_seconds": 0.0})
    other.restore(load_checkpoint(path))
    assert torch.equal(other.rollout.alive[-1], pattern)
    for one in (trainer, other):
        one.env.close()


def test_weights_only_start(tmp_path: Path) -> None:
    first = run(tmp_path, small())
    checkpoint = list_checkpoints(first.run)[-1]
    # One update at a tiny learning rate, so the weights stay those of the checkpoint.
    second = run(tmp_path, small(total_steps=BATCH, learning_rate=1e-12), weights=checkpoint)
    assert second.run != first.run and second.steps == BATCH
    after = tensors(list_checkpoints(second.run)[-1])
    torch.testing.assert_close(after["output.weight"], tensors(checkpoint)["output.weight"])
    with pytest.raises(CheckpointError, match="different network"):
        run(tmp_path, merge(small(), {"policy": {"hidden_size": 8}}), weights=checkpoint)


def test_nan_stops_the_run_and_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: Any) -> None:
    original, calls = ppo.advantages, 0

    def poisoned(rollout: Any, *arguments: Any, **options: Any) -> None:
        nonlocal calls
        original(rollout, *arguments, **options)
        calls += 1
        if calls == 4:
            rollout.returns[0, 0] = float("nan")

    monkeypatch.setattr(ppo, "advantages", poisoned)
    with pytest.raises(ppo.NotFinite):
        run(tmp_path, small())
    (directory,) = (tmp_path / "runs").iterdir()
    last = list_checkpoints(directory)[-1]
    assert load_checkpoint(last).meta["update"] == 3
    assert all(bool(torch.isfinite(tensor).all()) for tensor in load_checkpoint(last).policy.values())


@pytest.mark.usefixtures("warm_children")
def test_ctrl_c_saves_a_checkpoint_that_can_be_resumed(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pufferc.commands.main import main\n"
        "sys.exit(main(['train', 'cartpole', '--runs', sys.argv[1], '--train.total-steps', '1000000000',"
        " '--train.target-score', 'None', '--train.checkpoint-interval-s', '1000']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    ) as child:  # fmt: skip
        assert child.stderr is not None
        seen = []
        try:
            while not any("steps" in line and "%" in line for line in seen):
                seen.append(child.stderr.readline())
                assert seen[-1], seen
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 130, err
    assert "interrupted" in out
    (directory,) = tmp_path.iterdir()
    (checkpoint,) = list_checkpoints(directory)
    log = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert load_checkpoint(checkpoint).meta["update"] == log[-1]["update"] >= 1


def test_the_target_ends_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, small(total_steps=50 * BATCH, target_score=5.0, target_episodes=40))
    assert result.outcome == "target" and result.steps < 50 * BATCH
    assert result.evaluation is not None and result.evaluation.score >= 5.0 and result.evaluation.episodes >= 40
    assert result.target_seconds is not None and 0.0 < result.target_seconds <= result.seconds
    assert lines(result)[-1]["evaluation_score"] == pytest.approx(result.evaluation.score)
    missed = run(tmp_path, small(target_score=1000.0, target_episodes=40))
    assert missed.outcome == "complete" and missed.target_seconds is None
    assert missed.evaluation is not None and missed.evaluation.score < 1000.0
    for ended, words in ((result, "target reached: "), (missed, "complete, target not reached: ")):
        text = train_module.summary(ended)
        assert text.startswith(words) and "\n" not in text and text.count(" s, ") == 1
        assert re.search(r"score [\d.]+ \+- [\d.]+ over \d+ evaluation episodes; ", text)


def test_playing_a_checkpoint_gives_the_scores_of_the_run(tmp_path: Path) -> None:
    result = run(tmp_path, small(target_score=1000.0, target_episodes=40))
    assert result.evaluation is not None
    checkpoint = load_checkpoint(list_checkpoints(result.run)[-1])
    played = play_checkpoint(checkpoint, EvaluationSettings(40, 1 + 1_000_003))
    assert played.score == result.evaluation.score and played.episode_length == result.evaluation.episode_length


def test_schedules(tmp_path: Path) -> None:
    rates = {}
    for schedule in ("constant", "linear", "cosine"):
        trainer = Trainer(small(schedule=schedule, learning_rate=1.0, final_learning_rate=0.2))
        trainer.env.close()
        for update in (0, UPDATES // 2, UPDATES):
            trainer.update = update
            rates[schedule, update] = trainer.learning_rate()
    assert [rates["constant", update] for update in (0, 3, 6)] == [1.0, 1.0, 1.0]
    assert [rates["linear", update] for update in (0, 3, 6)] == pytest.approx([1.0, 0.6, 0.2])
    assert [rates["cosine", update] for update in (0, 3, 6)] == pytest.approx([1.0, 0.6, 0.2])


@pytest.mark.parametrize("fused", [False, True])
def test_the_optimizer_gets_its_settings(fused: bool) -> None:
    config = small(momentum=0.8, weight_decay=0.03, beta2=0.95)
    policy = torch.nn.Linear(3, 2)
    muon = make_optimizer(config, policy, torch.float32, fused=fused)
    assert isinstance(muon, FusedMuon if fused else Muon) and (muon.momentum, muon.weight_decay) == (0.8, 0.03)
    adam = make_optimizer(merge(config, {"train": {"optimizer": "adam"}}), policy, torch.float32, fused=fused)
    assert isinstance(adam, Adam)
    group = adam.adam.param_groups[0]
    assert (*group["betas"], group["weight_decay"]) == (0.8, 0.95, 0.03)
    policy.weight.requires_grad_(False)  # frozen parameters are left out
    assert list(make_optimizer(config, policy, torch.float32, fused=fused).state()) == ["momentum.bias"]


def test_devices_and_kernels_that_cannot_be_used_are_refused(monkeypatch: Any) -> None:
    for device in ("gpu", "meta"):
        with pytest.raises(ConfigError, match=rf"train\.device: '{device}'"):
            torch_settings(small(device=device))
    number = torch.zeros(1)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: number)  # simulates a device that works but is not a CPU
    with pytest.raises(ConfigError, match=r"train\.kernels"):
        torch_settings(small(device="meta", kernels="fused"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConfigError, match="cannot make"):
        run(tmp_path, small())


def test_a_rollout_larger_than_memory_is_refused() -> None:
    config = load_config("squared")
    vec = dataclasses.replace(config.vec, num_envs=1024)
    settings = dataclasses.replace(config.train, horizon=2**20, total_steps=2**31, minibatch_size=8192)
    config, _ = resolve(dataclasses.replace(config, vec=vec, train=settings))
    with pytest.raises(ConfigError, match="rollout of 1024 rows x 1048576 steps takes"):
        Trainer(config)
