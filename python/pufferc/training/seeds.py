"""Trains several seeds of one configuration, in sequence or in parallel: `pufferc train NAME --train.seeds 1,2,3`.

Each seed is a run in its own process, so a failed or killed run does not end the others. Its result equals that of a
single run with the same number of threads. All runs are in one group directory, see runs/directory.py. Its group.json
holds every result, the mean and the spread, and is rewritten whenever a seed ends.

Each process runs this module: python -m pufferc.training.seeds CHANNEL <directory of the run> <game> [<weights>]
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, merge, read_toml, to_toml
from pufferc.envs.games import env_info
from pufferc.errors import available_cores
from pufferc.loggers import Progress, Silent, check_loggers
from pufferc.processes import Child, Parent, wait
from pufferc.runs.directory import GROUP_SUFFIX, make_directory, write_json
from pufferc.runs.records import score_text, table
from pufferc.runs.scores import Score
from pufferc.runs.text import count, duration, short
from pufferc.training.interrupt import Interrupt
from pufferc.training.resolve import resolve

_MAX_SEEDS = 1000
_REPORT_S, _SHOW_S, _POLL_S = 0.5, 2.0, 0.05
_ENDED = ("complete", "target")


def parse_seeds(text: str) -> list[int]:
    """Parses seeds such as "1,2,3", "1-5" or "1-3,8". ConfigError for other text and for duplicates."""
    seeds: list[int] = []
    for word in text.split(","):
        low, dash, high = word.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or (dash and int(high) < int(low)):
            raise ConfigError(f"train.seeds must be seeds such as 1,2,3 or 1-5, got {text!r}")
        if dash and int(high) - int(low) >= _MAX_SEEDS:
            raise ConfigError(f"train.seeds must be at most {_MAX_SEEDS} seeds, got {text!r}")
        seeds += range(int(low), int(high or low) + 1)
    if len(set(seeds)) != len(seeds) or len(seeds) > _MAX_SEEDS:
        raise ConfigError(f"train.seeds must be at most {_MAX_SEEDS} different seeds, got {text!r}")
    return seeds


def split_cores(config: Config, parallel: int, seeds: int) -> tuple[Config, int, list[str]]:
    """The configuration with the threads of one run, the number of parallel runs, and notes for the user.

    With "auto" threads the runs share the cores; a given number of threads limits the number of parallel runs.
    """
    if parallel < 1:
        raise ConfigError(f"parallel must be at least 1, got {parallel}")
    cores, notes = available_cores(), list[str]()
    vec, train = config.vec, config.train
    parallel = min(parallel, seeds)
    given = max((int(n) for n in (train.threads, vec.num_threads) if n != "auto"), default=1)
    room = max(1, cores // given)
    if parallel > room:
        notes.append(f"{parallel} runs of {given} thread(s) need more than the {cores} core(s) here: {room} at a time")
        parallel = room
    threads = max(1, cores // parallel)
    game_threads = min(threads, int(resolve(config)[0].vec.num_threads))  # at most one per game
    config = dataclasses.replace(
        config,
        vec=dataclasses.replace(vec, num_threads=game_threads if vec.num_threads == "auto" else vec.num_threads),
        train=dataclasses.replace(train, threads=threads if train.threads == "auto" else train.threads),
    )
    return config, parallel, notes


@dataclass
class Member:
    """One seed: its run directory, its process, and its result when it has ended."""

    seed: int
    run: Path
    child: Child | None = None
    interrupted: bool = False
    report: dict[str, Any] = field(default_factory=dict)  # latest: steps, steps_per_second, score
    result: dict[str, Any] | None = None

    def start(self, config: Config, weights: Path | None) -> None:
        self.run.mkdir()
        own = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=self.seed))
        (self.run / "config.toml").write_text(to_toml(own), encoding="utf-8")
        words = [str(self.run), own.game, *([str(weights)] if weights else [])]
        self.child = Child("pufferc.training.seeds", words, self.run / "errors.txt")

    def said(self) -> list[str]:
        """Messages of the process since the last call. Also updates `report`."""
        texts = []
        for message in self.child.messages() if self.child else ():
            if "say" in message:
                texts.append(str(message["say"]))
            else:
                self.report = message
        return texts

    def interrupt(self) -> None:
        """Asks a running process to stop with a checkpoint; kills it if it has not started training."""
        if self.child is None:
            return
        self.interrupted = True
        if self.report:
            self.child.interrupt()
        else:
            self.child.stop()  # an import may swallow the KeyboardInterrupt, and there is nothing to save

    @property
    def over(self) -> bool:
        """Whether the process has ended and `finish` is due."""
        return self.child is not None and self.child.code is not None

    def finish(self) -> dict[str, Any]:
        """Reads the result after the process has ended."""
        assert self.child is not None
        child, self.child = self.child, None
        try:
            self.result = dict(json.loads((self.run / "result.json").read_bytes()))
        except (OSError, ValueError):
            self.result = {"run": str(self.run), "outcome": "interrupted"}  # before training started
            if not self.interrupted and child.code not in (130, -signal.SIGINT):
                self.result |= {"outcome": "failed", "error": child.why_ended()}
        if not child.output.stat().st_size:
            child.output.unlink()
        return self.result

    def score(self) -> Score | None:
        return Score.from_dict((self.result or {}).get("score"))


class Group:
    """A group of seeds of one configuration; `go` trains them."""

    def __init__(self, config: Config, seeds: Sequence[int], runs: Path, parallel: int, weights: Path | None) -> None:
        """Raises ConfigError for an invalid configuration, before it creates a directory."""
        config, self.parallel, self.notes = split_cores(config, parallel, len(seeds))
        for seed in (min(seeds), max(seeds)):
            resolve(dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed)))
        check_loggers(config.train.loggers)
        self.config, self.weights = config, weights
        self.directory = make_directory(runs, env_info(config.game).name, GROUP_SUFFIX)
        self.members = [Member(seed, self.directory / f"seed-{seed}") for seed in seeds]
        self.began = time.perf_counter()

    def go(self, progress: Progress) -> dict[str, Any]:
        """Trains all seeds and returns the content of group.json. Only the first Ctrl-C saves checkpoints."""
        for note in (*self.notes, f"group {self.directory}: {len(self.members)} seeds, {self.parallel} at a time"):
            progress.say(note)
        waiting, shown_at, stopped = list(self.members), time.perf_counter(), False
        try:
            with Interrupt(progress.say) as interrupt:
                while (waiting and not interrupt.requested) or self._children():
                    if interrupt.requested and not stopped:
                        stopped = True
                        for member in self.members:
                            member.interrupt()
                    while waiting and not interrupt.requested and len(self._children()) < self.parallel:
                        waiting.pop(0).start(self.config, self.weights)
                    self._update(progress)
                    if time.perf_counter() - shown_at >= _SHOW_S:
                        shown_at = time.perf_counter()
                        self._show(progress)
                    wait(self._children(), _POLL_S)
        finally:
            for member in self.members:
                if member.child is not None:
                    member.child.stop()
                    member.finish()
            write_json(self.directory / "group.json", self.as_dict())
        return self.as_dict()

    def _children(self) -> list[Child]:
        return [member.child for member in self.members if member.child is not None]

    def _update(self, progress: Progress) -> None:
        """Shows messages of the processes and collects the results of those that ended."""
        for member in self.members:
            over = member.over  # tested first, so that the last messages are not missed
            for text in member.said():
                progress.say(f"seed {member.seed}: {text}")
            if over:
                result = member.finish()
                error = f": {result['error']}" if result.get("error") else ""
                progress.say(f"seed {member.seed}: {result['outcome']}{error}")
                write_json(self.directory / "group.json", self.as_dict())

    def _show(self, progress: Progress) -> None:
        total = self.config.train.total_steps
        pieces = []
        for member in self.members:
            if member.child is None:
                continue
            steps, rate = member.report.get("steps", 0), member.report.get("steps_per_second", 0.0)
            pieces.append(
                f"seed {member.seed}: {steps / total:.0%} {count(rate)}/s score {short(member.report.get('score'))}"
            )
        if pieces:
            progress.say(f"{duration(time.perf_counter() - self.began):>7}  {'   '.join(pieces)}")

    def as_dict(self) -> dict[str, Any]:
        """All results, with mean and spread (standard deviation between seeds) of the final scores."""
        results = [member.result or {"run": str(member.run), "outcome": "not started"} for member in self.members]
        scores = [score.value for score in (member.score() for member in self.members) if score is not None]
        return {
            "group": str(self.directory),
            "seconds": time.perf_counter() - self.began,
            "scores": len(scores),
            "mean": statistics.mean(scores) if scores else None,
            "spread": statistics.stdev(scores) if len(scores) > 1 else None,
            "lowest": min(scores, default=None),
            "highest": max(scores, default=None),
            "runs": [{"seed": m.seed, **result} for m, result in zip(self.members, results, strict=True)],
        }


def train_seeds(
    config: Config,
    seeds: Sequence[int],
    *,
    runs: Path | str = "runs",
    parallel: int = 1,
    weights: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Trains one configuration with several seeds.

    Args:
        config: The configuration; its seed is not used.
        seeds: One or more different seeds.
        runs: Folder for the group's directory.
        parallel: Number of parallel runs. Runs with "auto" threads share the cores, at most one thread per core.
        weights: Checkpoint directory with the initial weights of every run.
        quiet: No progress lines.

    Returns:
        The content of group.json: "mean", "spread", "runs" with the result of each seed, and others. A failed seed has
        the outcome "failed" and an "error".

    Raises:
        ConfigError: Invalid configuration; nothing was started.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds must be one or more different integers, got {list(seeds)!r}")
    progress = (Silent if quiet else Progress)(config.train.total_steps)
    try:
        return Group(config, seeds, Path(runs), parallel, weights).go(progress)
    finally:
        progress.close()


def exit_code(group: Mapping[str, Any]) -> int:
    """Exit code of the command: 0 if all seeds ended normally, 130 if interrupted, 1 if one failed."""
    outcomes = {run["outcome"] for run in group["runs"]}
    if outcomes <= set(_ENDED):
        return 0
    return 1 if "failed" in outcomes else 130


def summary(group: Mapping[str, Any]) -> str:
    """Each seed's result, then mean and spread."""
    rows = []
    for run in group["runs"]:
        steps, seconds, speed = run.get("steps"), run.get("seconds"), run.get("steps_per_second")
        rows.append(
            [
                str(run["seed"]),
                run["outcome"],
                score_text(Score.from_dict(run.get("score"))),
                "-" if steps is None else count(steps),
                "-" if seconds is None else f"{seconds:.1f}s",
                "-" if speed is None else count(speed),
                run["run"],
            ]
        )
    text = table(["seed", "outcome", "score", "steps", "time", "steps/s", "run"], rows)
    if group["mean"] is None:
        return f"{text}\nno seed has a score"
    spread = "" if group["spread"] is None else f" +- {group['spread']:.2f} (standard deviation between seeds)"
    return (
        f"{text}\nmean score {group['mean']:.2f}{spread}, {group['lowest']:g} to {group['highest']:g}, "
        f"{group['scores']} of {len(rows)} seeds, {duration(group['seconds'])}; {group['group']}"
    )


# ---- the process of one seed -----------------------------------------------------------------------------


class _Report(Progress):
    """Reports to the parent process. If the parent is gone, the run ends with a checkpoint."""

    def __init__(self, total_steps: int, parent: Parent) -> None:
        super().__init__(total_steps, interval_s=_REPORT_S)
        self._parent: Parent | None = parent

    def start(self, steps: int) -> None:
        super().start(steps)
        self._send({"steps": steps})

    def _show(self, steps: int, last: bool) -> None:
        rate, _ = self._rate.read(steps)
        self._send({"steps": steps, "steps_per_second": rate, "score": self.score})

    def _write(self, text: str) -> None:
        if not text.startswith(("run ", "\n")):  # the group shows these itself
            self._send({"say": text.strip()})

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._parent is None:
            return
        try:
            self._parent.send(message)
        except OSError:
            self._parent = None  # a second SIGTERM would end this process before it saves
            os.kill(os.getpid(), signal.SIGTERM)


def main(words: list[str]) -> int:
    """Trains the run in a directory that holds only config.toml."""
    from pufferc.training.run import train

    parent, run, game, weights = Parent(words[0]), Path(words[1]), words[2], words[3] if len(words) > 3 else None
    config = merge(Config(game), read_toml(run / "config.toml"), str(run))
    result = train(config, directory=run, weights=weights, display=_Report(config.train.total_steps, parent))
    return 130 if result.outcome == "interrupted" else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
