"""User-defined networks: the documented example as written, and each way to break the contract."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pufferc
from conftest import small_config
from pufferc.config import Config, ConfigError, as_tables, load_config, merge, to_toml
from pufferc.training.resolve import is_recurrent, resolve

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.commands.main import main  # noqa: E402
from pufferc.policies import Policy, make_policy  # noqa: E402
from pufferc.runs.checkpoint import CheckpointError, list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.training.from_checkpoint import load_weights  # noqa: E402
from pufferc.training.run import train  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "python"
CPU = torch.device("cpu")

GOOD = """
import torch
from torch import nn
from pufferc.policies import Policy

class Good(Policy):
    recurrent = True
    input_dtype = torch.float32

    def __init__(self, spec):
        super().__init__()
        self.input = nn.Linear(4, 8)
        self.output = nn.Linear(8, spec.outputs)

    def initial_state(self, rows, device):
        return (torch.zeros(rows, 8, device=device),)

    def step(self, observations, state):
        h = torch.tanh(self.input(observations) + state[0])
        return self.output(h), (h,)

    def forward(self, observations, state, starts):
        outputs = []
        for t in range(observations.shape[0]):
            if starts is not None:
                state = tuple(part.masked_fill(starts[t].unsqueeze(-1), 0.0) for part in state)
            output, state = self.step(observations[t], state)
            outputs.append(output)
        return torch.stack(outputs)
"""

Write = Callable[[str, str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Write:
    """Writes a module with a unique name into the current directory and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    stem = re.sub(r"\W", "_", request.node.name)

    def write(text: str, suffix: str = "") -> str:
        (tmp_path / f"{stem}{suffix}.py").write_text(text)
        return stem + suffix

    return write


def configured(name: str, **fields: object) -> Config:
    return small_config(updates=4, policy={"class": name, "hidden_size": 8}, **fields)


def make(name: str) -> Policy:
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    try:
        return make_policy(configured(name), env.spaces, torch.float32, CPU, seed=1)
    finally:
        env.close()


# ---- valid classes -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("warm_children", "one_core")
@pytest.mark.slow
def test_the_documented_commands_run(tmp_path: Path) -> None:
    """Run the commands of the page in order: train, eval and resume, with and without recurrent state."""
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    block = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]
    first, *lines = block.splitlines()
    assert first == "cd examples/python" and len(lines) == 4
    shutil.copy(EXAMPLES / "own_policies.py", tmp_path)
    for line in lines:
        words = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        if " eval " in line:
            assert float(re.search(r"score ([\d.]+)", done.stdout)[1]) > 100.0, done.stdout
    assert "target reached" in done.stdout


def test_a_class_is_found_in_the_current_directory_and_by_flag_or_file(module: Write) -> None:
    from pufferc.commands.train_flags import parse_train

    name = f"{module(GOOD)}:Good"
    config = parse_train("cartpole", ["--policy.class", name, "--policy.hidden-size", "8"]).config
    assert (config.policy.class_, config.policy.hidden_size) == (name, 8)
    Path("run.toml").write_text(to_toml(config))
    assert f'class = "{name}"' in Path("run.toml").read_text()
    assert load_config("cartpole", "run.toml") == config and as_tables(config)["policy"]["class"] == name
    assert is_recurrent(config.policy) and not is_recurrent(Config("cartpole").policy)
    with pytest.raises(ConfigError, match=r"whole rows of 16 steps since .*Good has memory"):
        resolve(configured(name, minibatch_size=4))


def test_weights_depend_only_on_the_seed_and_the_check_has_no_side_effects(module: Write) -> None:
    name = f"{module(GOOD)}:Good"
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    a, b, c = (make_policy(configured(name), env.spaces, torch.float32, CPU, seed) for seed in (1, 1, 2))
    env.close()
    assert torch.equal(a.output.weight, b.output.weight) and not torch.equal(a.output.weight, c.output.weight)
    assert all(parameter.grad is None for parameter in a.parameters())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_resumed_run_is_bit_identical(module: Write, optimizer: str, tmp_path: Path) -> None:
    config = configured(f"{module(GOOD)}:Good", optimizer=optimizer, learning_rate=0.002)
    whole = train(config, runs=tmp_path / "runs", quiet=True)
    first, *later = list_checkpoints(whole.run)
    expected = load_checkpoint(later[-1])
    for path in later:
        shutil.rmtree(path)
    resumed = train(None, resume=first, runs=tmp_path / "runs", quiet=True)
    found = load_checkpoint(list_checkpoints(resumed.run)[-1])
    for a, b in ((expected.policy, found.policy), (expected.trainer, found.trainer)):
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_shared_and_frozen_parameters_are_fine(module: Write, tmp_path: Path) -> None:
    name = module(
        """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.frozen = nn.Linear(4, 8).requires_grad_(False)
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.convolution = nn.Conv1d(1, 1, 3, padding=1)
        self.output = nn.Linear(8, spec.outputs)

    def forward(self, observations):
        x = torch.relu(self.second(torch.relu(self.first(self.frozen(observations)))))
        return self.output(self.convolution(x.unsqueeze(1)).squeeze(1))
"""
    )
    result = train(configured(f"{name}:Net"), runs=tmp_path / "runs", quiet=True)
    policy, checkpoint = make(f"{name}:Net"), load_checkpoint(list_checkpoints(result.run)[-1])
    before = policy.module.frozen.weight.clone()
    load_weights(policy, checkpoint)
    assert torch.equal(policy.module.frozen.weight, before)
    assert torch.equal(policy.module.first.weight, policy.module.second.weight)


@pytest.mark.parametrize("squash", [False, True])
def test_continuous_actions_need_means_and_deviations(module: Write, tmp_path: Path, squash: bool) -> None:
    name = module("from torch import nn\nclass Net(nn.Linear):\n"
                  "    def __init__(self, spec): super().__init__(4, spec.outputs)\n")  # fmt: skip
    config = merge(configured(f"{name}:Net"), {"env": {"continuous": True}, "policy": {"squash": squash}})
    result = train(config, runs=tmp_path / "runs", quiet=True)
    weights = load_checkpoint(list_checkpoints(result.run)[-1]).policy
    assert weights["module.weight"].shape == (3, 4)  # mean, log standard deviation, value


# ---- invalid classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Good", "must be module:Class, such as my_module:MyPolicy, got 'Good'"),
        ("a:b:c", "must be module:Class"),
        ("no_such_module:Good", "no module named no_such_module in .* or in the installed packages"),
        ("torch.nope:Good", "no module named torch.nope"),
        ("{m}:Goot", "has no Goot; did you mean 'Good'"),
        ("{m}:helper", "expected a class derived from torch.nn.Module, got <function helper"),
        ("{m}:Policy", "expected a class derived from torch.nn.Module"),
        ("math:Good", "has no Good and no other torch module"),
    ],
)
def test_missing_classes_are_reported(module: Write, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(name.format(m=module(GOOD + "\ndef helper():\n    pass\n")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_package\n", r"needs no_such_package, which is not installed"),
        ("def broken(:\n", r"importing \w+ failed: SyntaxError"),
        ("x = 1 / 0\n", r"failed: ZeroDivisionError: division by zero \(\w+\.py, line 1\)"),
        ("raise SystemExit(3)\n", r"failed: SystemExit: 3"),
    ],
)
def test_modules_that_fail_to_import_are_reported(module: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(f"{module(text)}:Good")


BROKEN = {
    "constructor": ("super().__init__()\n", "super().__init__()\n        raise KeyError('depth')\n",
                    r"its constructor raised KeyError: 'depth' \(\w+\.py, line \d+\)"),
    "arguments": ("def __init__(self, spec)", "def __init__(self)", "its constructor raised TypeError"),
    "input dtype": ("input_dtype = torch.float32", "input_dtype = 'float32'", "input_dtype must be a torch dtype"),
    "recurrent later": ("super().__init__()", "super().__init__(); self.recurrent = False", "recurrent must be"),
    "no parameters": ("recurrent = True", "recurrent = True\n    def parameters(self, recurse=True): return iter(())",
                      "no trainable parameters"),
    "state is a list": ("return (torch.zeros(rows, 8, device=device),)", "return [torch.zeros(rows, 8)]",
                        "initial_state must return a tuple of tensors, got a list"),
    "state of one row": ("torch.zeros(rows, 8", "torch.zeros(1, 8", r"must have shape \[3, ...\], got \[1, 8\]"),
    "state by chance": ("torch.zeros(rows, 8", "torch.rand(rows, 8", "differs from call to call"),
    "no state": ("return (torch.zeros(rows, 8, device=device),)", "return ()", "0 tensors, but recurrent is True"),
    "not recurrent": ("recurrent = True", "recurrent = False", "1 tensors, but recurrent is False"),
    "learned state": ("torch.zeros(rows, 8, device=device)", "torch.zeros(rows, 8, requires_grad=True)",
                      "requires a gradient"),
    "too wide": ("nn.Linear(8, spec.outputs)", "nn.Linear(8, spec.outputs + 1)",
                 r"step must return float32 outputs \[3, 3\], the value last, got float32 \[3, 4\]"),
    "too few inputs": ("nn.Linear(4, 8)", "nn.Linear(5, 8)",
                       r"step on observations float32 \[3, 4\] raised RuntimeError: mat1 .* \(\w+\.py, line \d+\)"),
    "half precision": ("return self.output(h), (h,)", "return self.output(h).half(), (h,)",
                       r"must return float32 outputs .*, got float16 \[3, 3\]"),
    "not finite": ("return self.output(h), (h,)", "return self.output(h) / 0.0, (h,)", "returned outputs .* not fin"),
    "no pair": ("return self.output(h), (h,)", "return self.output(h)", r"step must return \(outputs, state\), got fl"),
    "state grows": ("return self.output(h), (h,)", "return self.output(h), (h, h)", "step must return a state like"),
    "state in place": ("h = torch.tanh(self.input(observations) + state[0])",
                       "h = state[0].add_(self.input(observations)).tanh()", "step changed its argument state"),
    "other rows": ("self.input(observations)", "self.input(observations - observations.mean(0))",
                   "depend on the other rows"),
    "dropout": ("self.output(h), (h,)", "self.output(nn.functional.dropout(h, 0.5)), (h,)", "depend on the other rows"),
    "no resets": ("if starts is not None:", "if False:", "step and forward disagree at step 2"),
    "late resets": ("masked_fill(starts[t]", "masked_fill(starts[t - 1]", "step and forward disagree at step"),
    "forward is narrow": ("return torch.stack(outputs)", "return torch.stack(outputs)[..., 0]",
                          r"forward must return float32 outputs \[6, 3, 3\]"),
    "unused parameter": ("super().__init__()", "super().__init__(); self.spare = nn.Linear(2, 2)",
                         "parameter spare.weight does not affect the outputs"),
    "extra state": ("recurrent = True", "recurrent = True\n    def get_extra_state(self): return 5\n"
                    "    def set_extra_state(self, state): pass", "must contain tensors only, got a int as _extra"),
    "no graph": ("return torch.stack(outputs)", "return torch.stack(outputs).detach()", "training pass raised"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_contract_is_named_before_training(module: Write, case: str) -> None:
    old, new, message = BROKEN[case]
    assert GOOD.count(old) >= 1
    name = f"{module(GOOD.replace(old, new))}:Good"
    with pytest.raises(ConfigError, match=message) as caught:
        make(name)
    assert str(caught.value).startswith(f"policy.class {name}: ")


def test_a_plain_module_must_return_one_tensor(module: Write) -> None:
    text = "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self, spec): super().__init__(4, 3)\n"
    make(f"{module(text)}:Net")
    pair = text + "    def forward(self, x): return super().forward(x)[:, :2], super().forward(x)[:, 2]\n"
    with pytest.raises(ConfigError, match="forward must return one tensor, logits and value side by side, got a tuple"):
        make(f"{module(pair, '_pair')}:Net")


def test_a_checkpoint_imports_no_module_that_the_user_has_not_named(
    module: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module(GOOD + "\nopen('imported', 'a').close()\n")
    run = train(configured(f"{name}:Good"), runs=tmp_path / "runs", quiet=True).run
    marker, path = tmp_path / "imported", str(list_checkpoints(run)[0])
    assert marker.exists() and pufferc.evaluate("cartpole", path, episodes=4).episodes >= 4, "it is imported already"
    evaluation = ["eval", "cartpole", "--checkpoint", path, "--episodes", "4"]
    commands = {
        "eval": evaluation,
        "train": ["train", "cartpole", "--resume", path, "--quiet"],
        "export": ["export", "cartpole", "--checkpoint", path],
        "play": ["play", "cartpole", "--checkpoint", path],
        "match": ["match", "cartpole", path, path],
    }

    def forget() -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        marker.unlink(missing_ok=True)

    for words in commands.values():
        forget()
        assert main(words) == 2
        message = capsys.readouterr().err
        assert f"names the custom network {name}:Good; using it runs the code of {name}" in message
        assert f"--trust or --policy.class {name}:Good" in message and not marker.exists()
    for flags in (["--trust"], ["--policy.class", f"{name}:Good"]):
        for words in (commands["eval"], commands["train"]):
            forget()
            assert main([*words, *flags]) == 0, capsys.readouterr().err
            assert marker.exists()
    forget()
    with pytest.raises(CheckpointError, match="names the custom network"):
        pufferc.evaluate("cartpole", path)
    assert pufferc.evaluate("cartpole", path, episodes=4, trust=True).episodes >= 4


@pytest.mark.usefixtures("warm_children")
def test_no_run_starts_with_a_broken_class(module: Write, tmp_path: Path) -> None:
    name = f"{module(GOOD.replace('if starts is not None:', 'if False:'))}:Good"
    words = [sys.executable, "-m", "pufferc", "train", "cartpole", "--policy.class", name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2 and not (tmp_path / "runs").exists()
    assert done.stderr.strip().splitlines()[-1].startswith(f"pufferc: policy.class {name}: step and forward disagree")


def test_a_checkpoint_of_another_policy_is_refused_with_the_differences(module: Write, tmp_path: Path) -> None:
    name = module(GOOD)
    result = train(configured(f"{name}:Good"), runs=tmp_path / "runs", quiet=True)
    path = list_checkpoints(result.run)[-1]
    with pytest.raises(
        CheckpointError, match=r"a different network than this FusedMLP: it has no input_gain; .* and 3 more"
    ):
        train(merge(configured(f"{name}:Good"), {"policy": {"class": None}}), weights=path, quiet=True)
    wider = module(GOOD.replace("8", "16"), "_wider")
    with pytest.raises(CheckpointError, match=r"its input.weight has shape \(8, 4\), not \(16, 4\)"):
        load_weights(make(f"{wider}:Good"), load_checkpoint(path))
