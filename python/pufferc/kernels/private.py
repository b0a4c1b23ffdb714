"""Trainer kernels that are not part of `pufferc.ops`: loss with gradient, networks and their optimizer.

Arrays are NumPy arrays or torch CPU tensors, with the shapes and masks of `pufferc.ops`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pufferc import _core, errors
from pufferc.kernels.tensors import check_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from pufferc.envs.vector import VecEnv

_MAX_ARRAYS = 4096  # per network or optimizer step


class NotFinite(ArithmeticError):
    """The loss or the policy's outputs became NaN or infinite. The parameters come from the last finite gradient."""


class PpoStats(NamedTuple):
    """Means over the alive rows of a minibatch."""

    loss: float
    policy_loss: float
    value_loss: float  # before value_coef
    entropy: float  # nats
    approx_kl: float  # mean(r - 1 - log r)
    old_approx_kl: float  # mean(-log r)
    clip_fraction: float  # share of rows with |r - 1| > clip
    rows: int  # number of alive rows


def action_kind(action_counts: Sequence[int], continuous_dims: int) -> tuple[list[int], int]:
    """Checks that exactly one of `action_counts` and `continuous_dims` is given; returns both."""
    choices = errors.sequence("action_counts", action_counts, "integers", 8)
    counts = [errors.integer("action_counts", count, 1, _core.MAX_CHOICES) for count in choices]
    continuous_dims = errors.integer("continuous_dims", continuous_dims, 0, 8)
    if bool(counts) == bool(continuous_dims):
        raise ValueError(f"one of action_counts and continuous_dims must be given, got {counts} and {continuous_dims}")
    return counts, continuous_dims


@dataclass(frozen=True, eq=False)
class Minibatch:
    """The inputs of a loss for B rows.

    The C kernels take NumPy arrays or torch CPU tensors and check them at the first use. The torch loss of `reference`
    takes torch tensors on any device.

    Args:
        actions: int32 [B] (D = 1) or [B, D], or float32 [B, D], as sampled.
        old_logprobs: float32 [B] from the rollout, summed over dimensions.
        advantages: float32 [B].
        returns: float32 [B], value targets.
        action_counts: Choices of each dimension, for discrete actions.
        continuous_dims: D, for continuous actions.
        old_values: float32 [B] from the rollout; required with value_clip.
        alive: bool or uint8 [B]; rows with 0 are excluded from all means and get gradient 0.
        mask: Words of the legal choices [B, W], see `pufferc.ops`; None = all are legal.
    """

    actions: Any
    old_logprobs: Any
    advantages: Any
    returns: Any
    action_counts: Sequence[int] = ()
    continuous_dims: int = 0
    old_values: Any = None
    alive: Any = None
    mask: Any = None

    @cached_property
    def compiled(self) -> _core.Minibatch:
        """The arrays for the C kernels. Raises TypeError or ValueError if one is invalid."""
        counts, continuous_dims = action_kind(self.action_counts, self.continuous_dims)
        return _core.Minibatch(
            actions=self.actions,
            old_logprobs=self.old_logprobs,
            advantages=self.advantages,
            returns=self.returns,
            action_counts=counts,
            continuous_dims=continuous_dims,
            old_values=self.old_values,
            alive=self.alive,
            mask=self.mask,
        )


@dataclass(frozen=True, kw_only=True)
class PpoSettings:
    """Coefficients of the PPO loss. The C kernels check them at the first use.

    Args:
        clip: Policy clip, > 0.
        value_coef: Weight of the value loss, >= 0; the value loss is (v - return)^2 / 2.
        entropy_coef: Weight of the entropy bonus.
        value_clip: > 0 clips the change of the value from old_values.
        normalize_advantages: Use (A - mean) / (std + 1e-8), with statistics of the alive rows.
    """

    clip: float
    value_coef: float
    entropy_coef: float
    value_clip: float = 0.0
    normalize_advantages: bool = False

    @cached_property
    def compiled(self) -> _core.PpoSettings:
        """The coefficients for the C kernels. Raises TypeError or ValueError if one is invalid."""
        return _core.PpoSettings(
            clip=errors.real("clip", self.clip, 0.0, math.inf),
            value_coef=errors.real("value_coef", self.value_coef, 0.0, math.inf),
            entropy_coef=errors.real("entropy_coef", self.entropy_coef, -math.inf, math.inf),
            value_clip=errors.real("value_clip", self.value_clip, -math.inf, math.inf),
            normalize=errors.flag("normalize_advantages", self.normalize_advantages),
        )


def ppo_loss_grad(
    logits: Any,
    values: Any,
    minibatch: Minibatch,
    settings: PpoSettings,
    *,
    grad_logits: Any,
    grad_values: Any,
    ratio: Any = None,
) -> PpoStats:
    """PPO loss of one minibatch and its gradient, written into the caller's arrays, in one pass.

    Args:
        logits: float32 [B, K]; may be columns of a wider matrix, such as the [B, K + 1] output of a network.
        values: float32 [B], any stride: outputs[:, K].
        minibatch: The other inputs.
        settings: Coefficients.
        grad_logits: float32 [B, K] out; may be columns of a wider matrix.
        grad_values: float32 [B] out.
        ratio: float32 [B] out: new / old probability; 1 where only one choice was legal in every dimension.

    Raises:
        TypeError, ValueError: An argument is invalid, or an action is out of range or illegal.
    """
    inputs = minibatch.compiled, settings.compiled, logits, values
    return PpoStats(*_core.ppo_loss(*inputs, grad_logits, grad_values, ratio))


def _elements(x: Tensor, dims: int, bfloat16: bool, name: str = "x") -> Any:
    """The same memory in a dtype that NumPy supports."""
    check_tensor(name, x, dims, "bfloat16" if bfloat16 else "float32")
    return x.view(sys.modules["torch"].int16) if bfloat16 else x


def _widths(widths: Sequence[int]) -> list[int]:
    sizes = errors.sequence("widths", widths, "integers", _MAX_ARRAYS)
    return [errors.integer("widths", width, 1, _core.MAX_ROWS) for width in sizes]


def _arrays(name: str, arrays: Sequence[Any]) -> list[Any]:
    return list(errors.sequence(name, arrays, "arrays", _MAX_ARRAYS))


@dataclass(frozen=True)
class EntitySet:
    """Entities of `each` values among `count` values of an observation, from value `first` on; `width` features."""

    first: int
    count: int
    each: int
    width: int


@dataclass(frozen=True)
class SetsShape:
    """The sets of entities in observations of `inputs` values, in the order of their values.

    A set has two layers: weights [width, each] and [width, width]. The encoder's outputs are the values outside of the
    sets in order, then the features of the sets.
    """

    inputs: int
    sets: tuple[EntitySet, ...]

    @property
    def outputs(self) -> int:
        """Number of outputs of the encoder."""
        return self.inputs + sum(group.width - group.count for group in self.sets)


def _sets(shape: SetsShape | None) -> tuple[int, list[tuple[int, int, int, int]]]:
    if shape is None:
        return 0, []
    inputs = errors.integer("sets.inputs", shape.inputs, 1, _core.MAX_ROWS)
    return inputs, [_whole_numbers(group) for group in shape.sets]


def _whole_numbers(group: EntitySet) -> tuple[int, int, int, int]:
    values = group.first, group.count, group.each, group.width
    first, count, each, width = (errors.integer("sets", value, 0, 2**31 - 1) for value in values)
    return first, count, each, width


class Mlp:
    """A multi-layer perceptron with ReLU for training on the CPU: forward and backward passes.

    `set_layers` copies the float32 weights [outputs, inputs]. Products are bfloat16 or float32, sums are float32.
    Inputs x are torch tensors of the product dtype; everything else is float32, torch or NumPy. Activation memory is
    reused between calls. No result depends on the number of threads.
    """

    def __init__(self, widths: Sequence[int], *, bfloat16: bool, sets: SetsShape | None = None) -> None:
        """`widths` of inputs, hidden layers and outputs, each 1 to 16384. Weights start at zero.

        With `sets`, widths[0] is the encoder's outputs, x has `sets.inputs` values, and the layers of the sets come
        first in all lists.
        """
        self._core = _core.Mlp(_widths(widths), errors.flag("bfloat16", bfloat16), *_sets(sets))
        self._bfloat16 = bool(bfloat16)

    def set_layers(self, weights: Sequence[Any], biases: Sequence[Any]) -> None:
        """Copies the parameters of all layers: weights [outputs, inputs], biases [outputs]."""
        self._core.set_layers(_arrays("weights", weights), _arrays("biases", biases))

    def forward(self, x: Tensor, outputs: Any, *, keep: bool = False) -> None:
        """Writes outputs [B, widths[-1]] for x [B, widths[0]]; `keep` saves the activations for `backward`."""
        self._core.forward(_elements(x, 2, self._bfloat16), errors.flag("keep", keep), outputs)

    def backward(self, x: Tensor, grad_outputs: Any, grad_weights: Sequence[Any], grad_biases: Sequence[Any]) -> None:
        """Writes the gradients of all parameters from grad_outputs of the last `forward` with `keep`.

        x must be the input of that pass, and the weights must not have changed since. ValueError for a different number
        of rows.
        """
        self._core.backward(
            _elements(x, 2, self._bfloat16),
            grad_outputs,
            _arrays("grad_weights", grad_weights),
            _arrays("grad_biases", grad_biases),
        )

    def learn(
        self,
        x: Tensor,
        minibatch: Minibatch,
        settings: PpoSettings,
        *,
        outputs: Any,
        grad_outputs: Any,
        grad_weights: Sequence[Any],
        grad_biases: Sequence[Any],
    ) -> PpoStats:
        """One PPO minibatch in one pass: `forward`, `ppo_loss_grad` with the value as the last output, `backward`.

        Writes outputs and grad_outputs, float32 [B, widths[-1]], and the gradients of all parameters. Results are
        bit-equal to those of the three calls, and the errors are the same.
        """
        return PpoStats(
            *self._core.learn(
                _elements(x, 2, self._bfloat16),
                minibatch.compiled,
                settings.compiled,
                outputs,
                grad_outputs,
                _arrays("grad_weights", grad_weights),
                _arrays("grad_biases", grad_biases),
            )
        )

    def rollout(
        self, env: VecEnv, rollout: Rollout, *, seed: int, first_step: int, first_row: int = 0
    ) -> tuple[float, float, float]:
        """Collects T steps of a pool of N rows with this network as the policy; its last output is the value.

        The games need discrete actions, float32 observations of O numbers, and a single group. Each thread runs some of
        the games through all steps. Results equal those of single steps with `sample_actions`.

        Args:
            env: The pool, already reset. It ends up after step T.
            rollout: Arrays for T steps of N rows, with masks if the game has them.
            seed: As in `sample_actions`.
            first_step: Step number of step 0 in the random draws.
            first_row: As in `sample_actions`.

        Returns:
            Thread seconds spent on network and sampling, on games, and on the rest.

        Raises:
            FloatingPointError: Outputs are not a valid distribution. The games have advanced and the arrays are partly
                written.
        """
        from pufferc.envs.vector import VecEnv

        if not isinstance(env, VecEnv):
            raise TypeError(f"env must be a VecEnv, got {type(env).__name__}")
        bad, *seconds = self._core.rollout(
            env._pool,
            rollout.compiled,
            errors.seed("seed", seed),
            errors.seed("first_step", first_step),
            errors.seed("first_row", first_row),
        )
        if bad:
            raise FloatingPointError(
                f"logits: {bad} of {env.num_envs} rows hold NaN, infinity or no choice that can be drawn"
            )
        policy_s, env_s, copy_s = seconds
        return policy_s, env_s, copy_s


class Rollout:
    """T steps of N rows for `Mlp.rollout`. Arrays are checked once, here, and borrowed for this object's lifetime.

    Row t holds the observation and action of step t and their consequences. Row T is the start of the next rollout. Row
    0 of observations and alive is an input; everything else is written.

    Args:
        observations: [T + 1, N, O], bfloat16 or float32, the network's input dtype; row 0 is the pool's latest
            observation.
        actions: int32 [T, N] or, with D > 1 dimensions, [T, N, D].
        logprobs: float32 [T, N].
        values: float32 [T + 1, N].
        rewards: float32 [T, N].
        terminated: bool [T, N].
        truncated: bool [T, N].
        final_values: float32 [T, N], values of final observations; written only where truncated.
        alive: bool [T + 1, N].
        mask: uint32 or int32 [T, N, W], words of the legal choices; None in a game without masks.
    """

    def __init__(
        self,
        *,
        observations: Tensor,
        actions: Any,
        logprobs: Any,
        values: Any,
        rewards: Any,
        terminated: Any,
        truncated: Any,
        final_values: Any,
        alive: Any,
        mask: Any = None,
    ) -> None:
        bfloat16 = str(getattr(observations, "dtype", None)) == "torch.bfloat16"
        self.compiled = _core.Rollout(
            observations=_elements(observations, 3, bfloat16, "observations"),
            actions=actions,
            logprobs=logprobs,
            values=values,
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            final_values=final_values,
            alive=alive,
            mask=mask,
        )


class Recurrent:
    """Base class of MinGru and Lstm: a recurrent network for training on the CPU.

    It has hidden layers, one recurrent layer, and outputs; `pufferc.policies.recurrent` has the formulas. Shapes: T
    steps, M rows, O inputs, H hidden units, K outputs. Inputs x [T, M, O] are torch tensors of bfloat16 or float32 with
    any stride between steps; everything else is float32, torch or NumPy. A state is a sequence of arrays [M, H]. starts
    [T, M] is bool or uint8, nonzero where an episode begins, or None. Memory for `backward` is reused between calls. No
    result depends on the number of threads.
    """

    def __init__(self, core: _core.Recurrent, bfloat16: bool) -> None:
        self._core, self._bfloat16 = core, bfloat16

    def set_layers(self, weights: Sequence[Any], biases: Sequence[Any]) -> None:
        """Copies weights [outputs, inputs] and biases [outputs]: hidden layers, recurrent layer, output layer."""
        self._core.set_layers(_arrays("weights", weights), _arrays("biases", biases))

    def forward(
        self,
        x: Tensor,
        state: Sequence[Any],
        starts: Any,
        outputs: Any,
        next_state: Sequence[Any],
        *,
        keep: bool = False,
    ) -> None:
        """Writes outputs [T, M, K] and next_state; `keep` saves the activations for `backward`."""
        elements = _elements(x, 3, self._bfloat16)
        self._core.forward(
            elements,
            _arrays("state", state),
            starts,
            errors.flag("keep", keep),
            outputs,
            _arrays("next_state", next_state),
        )

    def backward(
        self,
        x: Tensor,
        state: Sequence[Any],
        starts: Any,
        grad_outputs: Any,
        grad_weights: Sequence[Any],
        grad_biases: Sequence[Any],
        grad_x: Any = None,
    ) -> None:
        """Writes the gradients of all parameters from grad_outputs of the last `forward` with `keep`.

        x, state and starts must be those of that pass, and the weights must not have changed since. grad_x [T, M, O],
        if given, gets the gradient of x.
        """
        grads = _arrays("grad_weights", grad_weights), _arrays("grad_biases", grad_biases)
        elements = _elements(x, 3, self._bfloat16)
        self._core.backward(elements, _arrays("state", state), starts, grad_outputs, *grads, grad_x)


class MinGru(Recurrent):
    """Minimal gated recurrent units. Recurrent layer: the gate [2 H, H], u first. State: (h,)."""

    def __init__(self, widths: Sequence[int], *, bfloat16: bool, sets: SetsShape | None = None) -> None:
        """`widths` of inputs, hidden layers (the last one is H) and outputs. Weights start at zero.

        Without hidden layers, H is the number of inputs. `sets` as in Mlp; they need a hidden layer.
        """
        core = _core.MinGru(_widths(widths), errors.flag("bfloat16", bfloat16), *_sets(sets))
        super().__init__(core, bool(bfloat16))


class Lstm(Recurrent):
    """LSTM units. Recurrent layers: [4 H, H] for x, [4 H, H] for the previous h; gates i, f, g, o. State: (h, c)."""

    def __init__(self, widths: Sequence[int], *, bfloat16: bool, sets: SetsShape | None = None) -> None:
        """As in MinGru."""
        core = _core.Lstm(_widths(widths), errors.flag("bfloat16", bfloat16), *_sets(sets))
        super().__init__(core, bool(bfloat16))


class Muon:
    """Steps of the Muon optimizer on the CPU; `pufferc.optim` has the formula and the torch version.

    Products are bfloat16 or float32, sums are float32. No result depends on the number of threads.
    """

    def __init__(self, *, bfloat16: bool) -> None:
        self._core = _core.Muon(errors.flag("bfloat16", bfloat16))

    def step(
        self,
        parameters: Sequence[Any],
        averages: Sequence[Any],
        grads: Sequence[Any],
        *,
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        iterations: int,
    ) -> None:
        """Updates parameters and averages in place, each float32 [rows, columns] or [size] like its gradient.

        torch does not notice the change; call torch.autograd.graph.increment_version.
        """
        self._core.step(
            _arrays("parameters", parameters),
            _arrays("averages", averages),
            _arrays("grads", grads),
            errors.real("learning_rate", learning_rate, -math.inf, math.inf),
            errors.real("momentum", momentum, -math.inf, math.inf),
            errors.real("weight_decay", weight_decay, -math.inf, math.inf),
            errors.integer("iterations", iterations, 0, 100),
        )


def one_hot_forward(codes: Any, offsets: Any, table: Any, bias: Any, y: Any, *, relu: bool = False) -> None:
    """Linear layer of one-hot vectors: y [B, H] = bias + sum of table[offsets[cell] + code - 1] over nonzero cells.

    Args:
        codes: uint8 [B, cells], each 0 to offsets[cell + 1] - offsets[cell]. ValueError for larger codes.
        offsets: int32 [cells + 1] from 0 to E, where the entries of each cell start; at most 255 for a cell.
        table: float32 [E, H].
        bias: float32 [H].
        y: float32 [B, H].
        relu: Apply ReLU.
    """
    _core.one_hot_forward(codes, offsets, table, bias, errors.flag("relu", relu), y)


def one_hot_backward(codes: Any, offsets: Any, grad_y: Any, grad_table: Any, grad_bias: Any) -> None:
    """Writes the gradients of table and bias of `one_hot_forward` from grad_y, the gradient before ReLU."""
    _core.one_hot_backward(codes, offsets, grad_y, grad_table, grad_bias)
