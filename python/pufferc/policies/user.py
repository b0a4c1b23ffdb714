"""Custom networks, `policy.class = "module:Class"`: import, construction, and a check of the policy contract.

docs/policies.md documents the contract. A `Policy` subclass is used as it is; any other torch module that maps
observations [rows, ...] to outputs [rows, K + 1] is wrapped as a network without memory.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from pufferc.config import Config, ConfigError, suggest
from pufferc.envs.spaces import GameSpaces
from pufferc.envs.vector import VecEnv
from pufferc.kernels import public
from pufferc.policies.base import Policy, State, restart_rows
from pufferc.policies.distributions import Head, make_head


@dataclass(frozen=True)
class PolicySpec:
    """The argument of a custom network's constructor.

    Attributes:
        game: Name of the game.
        observation_space, action_space: Gymnasium spaces of one row.
        outputs: Width of the outputs, K + 1, the value last. K is the number of choices, summed over dimensions, or
            twice the number of continuous dimensions: means, then log standard deviations.
        hidden_size, num_layers: The run's policy.hidden_size and policy.num_layers; optional to use.
    """

    game: str
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    outputs: int
    hidden_size: int
    num_layers: int


class PlainPolicy(Policy):
    """Wraps a plain torch module: float32 [rows, ...] in, [rows, K + 1] out, no memory."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.input_dtype = getattr(module, "input_dtype", torch.float32)

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        outputs = self.module(observations.flatten(0, 1))
        if not isinstance(outputs, Tensor):
            raise TypeError(f"forward must return one tensor, logits and value side by side, got {_kind(outputs)}")
        return outputs.view(*observations.shape[:2], *outputs.shape[1:])


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return f"a {type(value).__name__}"


# ---- finding the class -------------------------------------------------------------------------------------


def load_class(name: str) -> type[nn.Module]:
    """The class that "module:Class" names. ConfigError if it does not exist or is not a torch module.

    The current directory comes first in the search path, as with `python -m`.
    """
    if not re.fullmatch(r"[\w.]+:\w+", name):
        raise ConfigError(f"policy.class must be module:Class, such as my_module:MyPolicy, got {name!r}")
    module_name, _, class_name = name.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"policy.class {name}: no module named {error.name} in {here} or in the installed packages"
            ) from None
        raise ConfigError(f"policy.class {name}: {module_name} needs {error.name}, which is not installed") from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"policy.class {name}: importing {module_name} failed: {_one_line(error)}") from error
    found = getattr(module, class_name, None)
    if found is None:
        classes = [key for key, value in vars(module).items() if _is_network(value)]
        raise ConfigError(
            f"policy.class {name}: {module_name} has no {class_name}"
            + (suggest(class_name, classes) if classes else " and no other torch module")
        )
    if not _is_network(found):
        raise ConfigError(f"policy.class {name}: expected a class derived from torch.nn.Module, got {found!r}")
    return found  # type: ignore[no-any-return]


def _is_network(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module) and value not in (nn.Module, Policy)


def _one_line(error: BaseException, module: str | None = None) -> str:
    """An error in one line, with the innermost location in the user's code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if module is None or frame.filename == module] or frames
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text} ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})"


# ---- construction and contract ---------------------------------------------------------------------------


def make_own_policy(config: Config, spaces: GameSpaces, head: Head, device: torch.device, seed: int) -> Policy:
    """The custom network for a game's spaces, with weights drawn from `seed`, after the contract check."""
    name = str(config.policy.class_)
    kind = load_class(name)
    spec = PolicySpec(
        spaces.name,
        spaces.observation_space,
        spaces.action_space,
        sum(head.output_sizes) + 1,
        config.policy.hidden_size,
        config.policy.num_layers,
    )
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        check = _Check(name, kind, spec, device)
        with check.calling("its constructor"):
            made = kind(spec)
        policy = made if isinstance(made, Policy) else PlainPolicy(made)
        policy.head = head
        policy.to(device)
        check.run(policy, _first_steps(config, policy.input_dtype, device))
    return policy


def _first_steps(config: Config, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    """Observations [T, M, ...] from the first steps of a few games under random actions, in the trainer's dtype."""
    env = VecEnv(config.game, num_games=3, num_threads=1, seed=0, params=config.env)
    try:
        env.action_space.seed(0)
        counts = make_head(env.single_action_space).output_sizes
        logits = np.zeros((env.num_envs, sum(counts)), np.float32)
        seen = [torch.from_numpy(env.reset()[0].copy())]
        for step in range(5):
            actions = env.action_space.sample()
            if env.action_mask is not None:
                actions, _ = public.sample_actions(logits, counts, mask=env.action_mask, seed=0, step=step)
            seen.append(torch.from_numpy(env.step(actions)[0].copy()))
    finally:
        env.close()
    observations = torch.stack(seen)
    return observations.to(device, dtype if isinstance(dtype, torch.dtype) else None)


class _Calling:
    """Turns exceptions of the user's code into a ConfigError that names the call."""

    def __init__(self, check: _Check, what: str) -> None:
        self.check, self.what = check, what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, ConfigError):
            self.check.refuse(f"{self.what} raised {_one_line(error, self.check.file)}", error)


class _Check:
    """Checks the contract of one network. The first violation raises ConfigError."""

    def __init__(self, name: str, kind: type[nn.Module], spec: PolicySpec, device: torch.device) -> None:
        self.name, self.kind, self.spec, self.device = name, kind, spec, device
        self.file = getattr(sys.modules.get(kind.__module__), "__file__", None)

    def refuse(self, message: str, error: BaseException | None = None) -> NoReturn:
        raise ConfigError(f"policy.class {self.name}: {message}") from error

    def calling(self, what: str) -> _Calling:
        return _Calling(self, what)

    def run(self, policy: Policy, observations: Tensor) -> None:
        """Runs all checks on observations [T, M, ...], then restores the weights and clears gradients."""
        self._attributes(policy)
        weights = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
        with torch.no_grad():
            state = self._initial_state(policy, observations.shape[1])
            self._step(policy, observations, state)
            self._forward(policy, observations, state)
        self._gradients(policy, observations, state)
        policy.load_state_dict(weights)
        for parameter in policy.parameters():
            parameter.grad = None

    def _attributes(self, policy: Policy) -> None:
        if policy.input_dtype is not None and not isinstance(policy.input_dtype, torch.dtype):
            self.refuse(f"input_dtype must be a torch dtype or None, got {policy.input_dtype!r}")
        if not isinstance(policy.recurrent, bool) or policy.recurrent != getattr(self.kind, "recurrent", False):
            self.refuse(f"recurrent must be True or False and set in the class, got {policy.recurrent!r}")
        if not any(parameter.requires_grad for parameter in policy.parameters()):
            self.refuse("it has no trainable parameters")
        for name, value in policy.state_dict().items():
            if not isinstance(value, Tensor):
                self.refuse(f"its state_dict must contain tensors only, got {_kind(value)} as {name}")

    def _initial_state(self, policy: Policy, rows: int) -> State:
        with self.calling(f"initial_state({rows}, {str(self.device)!r})"):
            state, again = (policy.initial_state(rows, self.device) for _ in range(2))
        if not isinstance(state, tuple) or not all(isinstance(part, Tensor) for part in state):
            self.refuse(f"initial_state must return a tuple of tensors, got {_kind(state)}")
        if policy.recurrent != bool(state):
            self.refuse(
                f"initial_state returned {len(state)} tensors, but recurrent is {policy.recurrent}; set recurrent = "
                "True if the network has a state, else return ()"
            )
        for i, (part, twin) in enumerate(zip(state, again, strict=True)):
            if part.ndim == 0 or part.shape[0] != rows:
                self.refuse(f"initial_state({rows}, device)[{i}] must have shape [{rows}, ...], got {list(part.shape)}")
            if part.requires_grad:
                self.refuse(f"initial_state(...)[{i}] requires a gradient; return it detached")
            if not torch.equal(part, twin):
                self.refuse(f"initial_state(...)[{i}] differs from call to call")
        return state

    def _outputs(self, what: str, outputs: Any, shape: list[int]) -> Tensor:
        if not isinstance(outputs, Tensor) or outputs.dtype != torch.float32 or list(outputs.shape) != shape:
            self.refuse(f"{what} must return float32 outputs {shape}, the value last, got {_kind(outputs)}")
        if not torch.isfinite(outputs).all():
            self.refuse(f"{what} returned outputs that are not finite for the first observations of {self.spec.game}")
        return outputs.detach().clone()

    def _one_step(self, policy: Policy, observations: Tensor, state: State) -> tuple[Tensor, State]:
        rows = observations.shape[0]
        with self.calling(f"step on observations {_kind(observations)}"):
            result = policy.step(observations, state)
        if not isinstance(result, tuple) or len(result) != 2:
            self.refuse(f"step must return (outputs, state), got {_kind(result)}")
        outputs = self._outputs("step", result[0], [rows, self.spec.outputs])
        shapes = [[_kind(part) for part in parts] for parts in (state, result[1])]
        if not isinstance(result[1], tuple) or shapes[0] != shapes[1]:
            self.refuse(f"step must return a state like its argument, {shapes[0]}, got {shapes[1]}")
        return outputs, tuple(part.clone() for part in result[1])

    def _step(self, policy: Policy, observations: Tensor, state: State) -> None:
        given = tuple(part.clone() for part in state)
        _, after = self._one_step(policy, observations[0], state)
        if not all(torch.equal(a, b) for a, b in zip(given, state, strict=True)):
            self.refuse("step changed its argument state; it must return a new state")
        whole, _ = self._one_step(policy, observations[1], after)
        part, _ = self._one_step(policy, observations[1, :2], tuple(tensor[:2] for tensor in after))
        others = torch.cat([observations[1, :1], observations[0, 1:]])
        beside, _ = self._one_step(policy, others, after)
        # Equal shapes round equally, so this tolerance can be tight enough to detect a small influence of other rows.
        if not _alike(part, whole[:2]) or not torch.allclose(beside[0], whole[0], rtol=1e-4, atol=1e-6):
            self.refuse("the outputs of a row depend on the other rows (batch normalisation? dropout?)")

    def _forward(self, policy: Policy, observations: Tensor, state: State) -> None:
        steps, rows = observations.shape[:2]
        starts = torch.zeros(steps, rows, dtype=torch.bool, device=self.device)
        starts[2, 0] = starts[steps - 1, rows - 1] = True
        with self.calling(f"forward on observations {_kind(observations)}"):
            outputs = policy(observations, state, starts if policy.recurrent else None)
        outputs = self._outputs("forward", outputs, [steps, rows, self.spec.outputs])
        stepped = []
        for t in range(steps):
            state = restart_rows(policy, state, starts[t])
            output, state = self._one_step(policy, observations[t], state)
            stepped.append(output)
        for t, output in enumerate(stepped):
            if not _alike(outputs[t], output):
                self.refuse(
                    f"step and forward disagree at step {t} by up to {float((outputs[t] - output).abs().max()):.3g}; "
                    "forward must set the state to that of initial_state where starts is nonzero, before that step"
                )

    def _gradients(self, policy: Policy, observations: Tensor, state: State) -> None:
        starts = torch.zeros(observations.shape[:2], dtype=torch.bool, device=self.device) if policy.recurrent else None
        with self.calling("a training pass"), torch.no_grad():
            outputs = policy.forward_for_training(observations, state, starts)
            policy.backward(torch.full_like(outputs, 1.0 / outputs.numel()))
        for name, parameter in policy.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                self.refuse(f"parameter {name} does not affect the outputs; remove it, or set requires_grad = False")
            if not torch.isfinite(parameter.grad).all():
                self.refuse(f"the gradient of parameter {name} is not finite")


def _alike(a: Tensor, b: Tensor) -> bool:
    """Equal up to bfloat16 rounding: within 2 % of the largest output of each column."""
    return bool(((a - b).abs() <= 0.02 * b.abs().amax(0, keepdim=True) + 1e-5).all())
