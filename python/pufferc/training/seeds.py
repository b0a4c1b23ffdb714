"""Several seeds of one configuration, one after another or side by side: `pufferc train NAME --train.seeds 1,2,3`.

Each seed is a run of its own in a process of its own, so one that fails or is killed takes no other with it, and its
result is the one that it has alone with as many threads. All lie in one directory, see run_directory.py; group.json in
it holds every result, the mean and the spread, and is written anew whenever a seed ends.

This module is also what such a process runs: python -m pufferc.seeds <directory of the run> <game> [<weights>]
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pufferc.config import Config, ConfigError, merge, read_toml, to_toml
from pufferc.envs.games import env_info
from pufferc.errors import available_cores
from pufferc.files import parse_json, read_short
from pufferc.loggers import Progress, Silent, check_loggers
from pufferc.runs.directory import GROUP_SUFFIX, make_directory, write_json
from pufferc.runs.records import score_text, table
from pufferc.runs.scores import Score
from pufferc.runs.text import count, duration, short
from pufferc.training.interrupt import Interrupt
from pufferc.training.resolve import resolve

_MOST = 1000
_REPORT_S, _SHOW_S, _POLL_S, _READ_S = 0.5, 2.0, 0.05, 2.0
_ENDED = ("complete", "target")


def parse_seeds(text: str) -> list[int]:
    """The seeds that "1,2,3", "1-5" or "1-3,8" means. ConfigError for anything else and for a seed twice."""
    seeds: list[int] = []
    for word in text.split(","):
        low, dash, high = word.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()) or (dash and int(high) < int(low)):
            raise ConfigError(f"train.seeds must be seeds such as 1,2,3 or 1-5, got {text!r}")
        if dash and int(high) - int(low) >= _MOST:
            raise ConfigError(f"train.seeds must be at most {_MOST} seeds, got {text!r}")
        seeds += range(int(low), int(high or low) + 1)
    if len(set(seeds)) != len(seeds) or len(seeds) > _MOST:
        raise ConfigError(f"train.seeds must be at most {_MOST} different seeds, got {text!r}")
    return seeds


def split_cores(config: Config, parallel: int, seeds: int) -> tuple[Config, int, list[str]]:
    """The configuration with the threads of one run, how many runs there can be at once, and what to say about it.

    "auto" threads share the cores; where threads are given, there are as many runs as have room.
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
    game_threads = min(threads, int(resolve(config)[0].vec.num_threads))  # no more than there are games
    config = dataclasses.replace(
        config,
        vec=dataclasses.replace(vec, num_threads=game_threads if vec.num_threads == "auto" else vec.num_threads),
        train=dataclasses.replace(train, threads=threads if train.threads == "auto" else train.threads),
    )
    return config, parallel, notes


def child_environment() -> dict[str, str]:
    """For a process that imports what this one can import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def exit_reason(code: int, errors: Path) -> str:
    """Why a process ended that did not end in order; `errors` is the file that its standard error went to."""
    if code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    lines = errors.read_text(encoding="utf-8", errors="replace").split("\n")
    last = [line for line in lines if line.strip()][-1:]
    return last[0].strip() if last else f"exit code {code}"


@dataclass
class Member:
    """One seed: its run's directory, its process while there is one, and its result once it ended."""

    seed: int
    run: Path
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    report: dict[str, Any] = field(default_factory=dict)  # newest: steps, steps_per_second, score
    said: list[str] = field(default_factory=list)  # by the process, not yet shown
    result: dict[str, Any] | None = None

    def start(self, config: Config, weights: Path | None) -> None:
        self.run.mkdir()
        own = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=self.seed))
        (self.run / "config.toml").write_text(to_toml(own), encoding="utf-8")
        words = [sys.executable, "-m", "pufferc.training.seeds", str(self.run), own.game]
        words += [str(weights)] if weights else []
        with (self.run / "errors.txt").open("w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C reaches it through this process only, which waits for it
            )  # fmt: skip
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # something else that a library printed
                if isinstance(message, dict):
                    self.said += [str(message["say"])] if "say" in message else []
                    self.report = self.report if "say" in message else message

    def ended(self) -> bool:
        """Whether the process has ended; then its result is known."""
        if self.process is None or self.process.poll() is None:
            return False
        if self.reader is not None:
            self.reader.join(_READ_S)  # a program that a logger started may hold the pipe longer
        code, self.process = self.process.returncode, None
        try:
            self.result = parse_json(read_short(self.run / "result.json"))
        except (OSError, ValueError):
            self.result = {"run": str(self.run), "outcome": "interrupted"}  # before it began to train
            if code not in (130, -signal.SIGINT):
                self.result |= {"outcome": "failed", "error": exit_reason(code, self.run / "errors.txt")}
        errors = self.run / "errors.txt"
        if errors.is_file() and not errors.stat().st_size:
            errors.unlink()
        return True

    def score(self) -> Score | None:
        return Score.from_dict((self.result or {}).get("score"))


class Group:
    """The seeds of one configuration; `go` trains them."""

    def __init__(self, config: Config, seeds: Sequence[int], runs: Path, parallel: int, weights: Path | None) -> None:
        """Raises ConfigError where the configuration cannot work, before anything is made."""
        config, self.parallel, self.notes = split_cores(config, parallel, len(seeds))
        for seed in (min(seeds), max(seeds)):
            resolve(dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed)))
        check_loggers(config.train.loggers)
        self.config, self.weights = config, weights
        self.directory = make_directory(runs, env_info(config.game).name, GROUP_SUFFIX)
        self.members = [Member(seed, self.directory / f"seed-{seed}") for seed in seeds]
        self.began = time.perf_counter()

    def go(self, progress: Progress) -> dict[str, Any]:
        """Trains all seeds; the content of group.json. A first Ctrl-C stops them with checkpoints, a second at once."""
        for note in (*self.notes, f"group {self.directory}: {len(self.members)} seeds, {self.parallel} at a time"):
            progress.say(note)
        waiting, shown_at, stopped = list(self.members), time.perf_counter(), False
        try:
            with Interrupt(progress.say) as interrupt:
                while (waiting and not interrupt.requested) or self._running():
                    if interrupt.requested and not stopped:
                        stopped = True
                        self._signal(signal.SIGINT)
                    while waiting and not interrupt.requested and len(self._running()) < self.parallel:
                        waiting.pop(0).start(self.config, self.weights)
                    self._look(progress)
                    if time.perf_counter() - shown_at >= _SHOW_S:
                        shown_at = time.perf_counter()
                        self._show(progress)
                    time.sleep(_POLL_S)
        finally:
            self._kill()
            write_json(self.directory / "group.json", self.as_dict())
        return self.as_dict()

    def _running(self) -> list[Member]:
        return [member for member in self.members if member.process is not None]

    def _signal(self, number: int) -> None:
        for member in self._running():
            if member.process is not None:
                member.process.send_signal(number)

    def _kill(self) -> None:
        """Ends what still runs, without a word."""
        for member in self._running():
            if member.process is not None:
                member.process.kill()
                member.process.wait()
            member.ended()

    def _look(self, progress: Progress) -> None:
        """Passes on what the processes said, and takes in the results of those that ended."""
        for member in self._running():
            while member.said:
                progress.say(f"seed {member.seed}: {member.said.pop(0)}")
            if member.ended() and member.result is not None:
                error = f": {member.result['error']}" if member.result.get("error") else ""
                progress.say(f"seed {member.seed}: {member.result['outcome']}{error}")
                write_json(self.directory / "group.json", self.as_dict())

    def _show(self, progress: Progress) -> None:
        total = self.config.train.total_steps
        pieces = []
        for member in self._running():
            steps, rate = member.report.get("steps", 0), member.report.get("steps_per_second", 0.0)
            pieces.append(
                f"seed {member.seed}: {steps / total:.0%} {count(rate)}/s score {short(member.report.get('score'))}"
            )
        if pieces:
            progress.say(f"{duration(time.perf_counter() - self.began):>7}  {'   '.join(pieces)}")

    def as_dict(self) -> dict[str, Any]:
        """Every result, mean and spread (standard deviation between seeds) of the scores at the end."""
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
        config: What to train; its own seed does not count.
        seeds: Different seeds, one at least.
        runs: Folder that the group's directory is made in.
        parallel: Runs at once. Threads that are "auto" share the cores; there are never more threads than cores.
        weights: Checkpoint directory whose weights every run starts with.
        quiet: No progress lines.

    Returns:
        What group.json holds: "mean", "spread", "runs" with the result of each seed ... A seed that failed has the
        outcome "failed" and an "error".

    Raises:
        ConfigError: Nothing was started.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds must be one or more different integers, got {list(seeds)!r}")
    progress = (Silent if quiet else Progress)(config.train.total_steps)
    try:
        return Group(config, seeds, Path(runs), parallel, weights).go(progress)
    finally:
        progress.close()


def exit_code(group: Mapping[str, Any]) -> int:
    """Of the command: 0 all seeds ended in order, 130 interrupted, 1 one failed."""
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
    """Tells the process that started this one, as JSON lines; if that is gone, the run ends with a checkpoint."""

    def __init__(self, total_steps: int) -> None:
        super().__init__(total_steps, interval_s=_REPORT_S)

    def _show(self, steps: int, last: bool) -> None:
        rate, _ = self._rate.read(steps)
        self._send({"steps": steps, "steps_per_second": rate, "score": self.score})

    def _write(self, text: str) -> None:
        if not text.startswith(("run ", "\n")):  # the group says where, and that it stops
            self._send({"say": text.strip()})

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            print(json.dumps(message), flush=True)
        except OSError:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
            os.kill(os.getpid(), signal.SIGTERM)


def main(words: list[str]) -> int:
    """Trains the run whose directory holds nothing but config.toml."""
    from pufferc.training.run import train

    run, game, weights = Path(words[0]), words[1], words[2] if len(words) > 2 else None
    config = merge(Config(game), read_toml(run / "config.toml"), str(run))
    result = train(config, directory=run, weights=weights, display=_Report(config.train.total_steps))
    return 130 if result.outcome == "interrupted" else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
