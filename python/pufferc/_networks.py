"""Networks whose passes are kernels, and their optimizer. Public in `pufferc.ops`, whose rules for arrays hold here."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pufferc import _core, _errors
from pufferc._losses import Minibatch, PpoSettings, PpoStats, bound
from pufferc._tensors import check_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from pufferc.vector import VecEnv

_MOST_ARRAYS = 4096  # of one network or step


def _elements(x: Tensor, dims: int, bfloat16: bool, name: str = "x") -> Any:
    """The same memory in a dtype that NumPy knows."""
    check_tensor(name, x, dims, "bfloat16" if bfloat16 else "float32")
    return x.view(sys.modules["torch"].int16) if bfloat16 else x


def _widths(widths: Sequence[int]) -> list[int]:
    sizes = _errors.sequence("widths", widths, "integers", _MOST_ARRAYS)
    return [_errors.integer("widths", width, 1, _core.MAX_ROWS) for width in sizes]


def _arrays(name: str, arrays: Sequence[Any]) -> list[Any]:
    return list(_errors.sequence(name, arrays, "arrays", _MOST_ARRAYS))


class Mlp:
    """A multi-layer perceptron with ReLU for training on the CPU: forward passes, and the gradients of its parameters.

    Weights are float32 [outputs, inputs] and copied by `set_layers`; products are taken in `bfloat16` or float32 and
    summed in float32. Inputs x are torch tensors of that dtype, everything else is float32, torch or NumPy. Memory for
    activations is kept from call to call. No result depends on the number of threads.
    """

    def __init__(self, widths: Sequence[int], *, bfloat16: bool) -> None:
        """`widths` from inputs over hidden layers to outputs, each 1 to 16384; all weights begin as zeros."""
        self._core = _core.Mlp(_widths(widths), _errors.flag("bfloat16", bfloat16))
        self._bfloat16 = bool(bfloat16)

    def set_layers(self, weights: Sequence[Any], biases: Sequence[Any]) -> None:
        """Copies the parameters of all layers: [outputs, inputs] and [outputs] of each."""
        self._core.set_layers(_arrays("weights", weights), _arrays("biases", biases))

    def forward(self, x: Tensor, outputs: Any, *, keep: bool = False) -> None:
        """Writes outputs [B, widths[-1]] of x [B, widths[0]]; `keep` remembers what `backward` needs."""
        self._core.forward(_elements(x, 2, self._bfloat16), _errors.flag("keep", keep), outputs)

    def backward(self, x: Tensor, grad_outputs: Any, grad_weights: Sequence[Any], grad_biases: Sequence[Any]) -> None:
        """Writes the gradients of all parameters, given those of the outputs of the last `forward` that kept its own.

        x is that of the forward pass; the weights have not changed since. ValueError if the number of rows is another.
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
        """A minibatch of PPO in one pass: `forward`, `ppo_loss_grad` with the value as the last output, `backward`.

        Writes outputs and grad_outputs, float32 [B, widths[-1]], and the gradients of all parameters, all with the bits
        that the three give one after the other. Errors are theirs.
        """
        return PpoStats(
            *self._core.learn(
                _elements(x, 2, self._bfloat16),
                bound("minibatch", minibatch, Minibatch),
                bound("settings", settings, PpoSettings),
                outputs,
                grad_outputs,
                _arrays("grad_weights", grad_weights),
                _arrays("grad_biases", grad_biases),
            )
        )

    def rollout(
        self, env: VecEnv, rollout: Rollout, *, seed: int, first_step: int, first_row: int = 0
    ) -> tuple[float, float, float]:
        """Plays T steps of a pool of N rows with this network as the policy, whose last output is the value.

        The games have discrete actions, float32 observations of O numbers, and one group. Threads take some games
        through all steps each; the numbers are those of steps one by one with `sample_actions`.

        Args:
            env: The pool; reset. It is left after the last step.
            rollout: Arrays for T steps of N rows, with masks where the game has them.
            seed: As in `sample_actions`.
            first_step: Step t draws as that step plus t.
            first_row: As in `sample_actions`.

        Returns:
            Seconds that threads spent with the network and the draws, with the games, and with the rest.

        Raises:
            FloatingPointError: Outputs are no distribution; the games have moved on, and the arrays are half written.
        """
        from pufferc.vector import VecEnv

        if not isinstance(env, VecEnv):
            raise TypeError(f"env must be a VecEnv, got {type(env).__name__}")
        bad, *seconds = self._core.rollout(
            env._pool,
            bound("rollout", rollout, Rollout),
            _errors.seed("seed", seed),
            _errors.seed("first_step", first_step),
            _errors.seed("first_row", first_row),
        )
        if bad:
            raise FloatingPointError(
                f"logits: {bad} of {env.num_envs} rows hold NaN, infinity or no choice that can be drawn"
            )
        policy_s, env_s, copy_s = seconds
        return policy_s, env_s, copy_s


class Rollout:
    """T steps of N rows for `Mlp.rollout`: arrays that are checked here, once, and borrowed as long as this lives.

    Row t holds what the network saw at step t, what it did, and what that caused; row T what the next rollout begins
    with. Row 0 of observations and alive is given, everything else is written.

    Args:
        observations: [T + 1, N, O], bfloat16 or float32 as the network's inputs; row 0 is what the pool showed last.
        actions: int32 [T, N] or, with D > 1 dimensions, [T, N, D].
        logprobs: float32 [T, N].
        values: float32 [T + 1, N].
        rewards: float32 [T, N].
        terminated: bool [T, N].
        truncated: bool [T, N].
        final_values: float32 [T, N], values of last observations; written where truncated.
        alive: bool [T + 1, N].
        mask: uint32 or int32 [T, N, W], words of the choices that were legal; None in a game without masks.
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
        self._core = _core.Rollout(
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
    """What MinGru and Lstm share: a network with memory for training on the CPU.

    Hidden layers, one layer of units with memory, outputs; `pufferc.policies.recurrent` has the formulas. Shapes: T
    steps, M rows, O inputs, H hidden units, K outputs. Inputs x [T, M, O] are torch tensors of bfloat16 or float32, as
    `bfloat16` says, whose steps may lie apart; everything else is float32, torch or NumPy. A state is a sequence of
    arrays [M, H]. starts [T, M] is bool or uint8, nonzero where an episode begins, or None. Memory for what `backward`
    needs is kept from call to call. No result depends on the number of threads.
    """

    def __init__(self, core: _core.Recurrent, bfloat16: bool) -> None:
        self._core, self._bfloat16 = core, bfloat16

    def set_layers(self, weights: Sequence[Any], biases: Sequence[Any]) -> None:
        """Copies [outputs, inputs] and [outputs] of the hidden layers, of the class's own, and of the outputs."""
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
        """Writes outputs [T, M, K] and next_state; `keep` remembers what `backward` needs."""
        elements = _elements(x, 3, self._bfloat16)
        self._core.forward(
            elements,
            _arrays("state", state),
            starts,
            _errors.flag("keep", keep),
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
        """Writes the gradients of all parameters, given those of the outputs of the last `forward` that kept its own.

        x, state and starts are those of the forward pass; the weights have not changed since. grad_x [T, M, O] gets the
        gradient of x where it is given.
        """
        grads = _arrays("grad_weights", grad_weights), _arrays("grad_biases", grad_biases)
        elements = _elements(x, 3, self._bfloat16)
        self._core.backward(elements, _arrays("state", state), starts, grad_outputs, *grads, grad_x)


class MinGru(Recurrent):
    """Minimal gated recurrent units. Layers of its own: the gate [2 H, H], u first. State: (h,)."""

    def __init__(self, widths: Sequence[int], *, bfloat16: bool) -> None:
        """`widths` of inputs, hidden layers, of which the last is H, and outputs; all weights begin as zeros.

        Without hidden layers, inputs are H.
        """
        super().__init__(_core.MinGru(_widths(widths), _errors.flag("bfloat16", bfloat16)), bool(bfloat16))


class Lstm(Recurrent):
    """LSTM units. Layers of its own: [4 H, H] of x, [4 H, H] of the h before; gates i, f, g, o. State: (h, c)."""

    def __init__(self, widths: Sequence[int], *, bfloat16: bool) -> None:
        """As in MinGru."""
        super().__init__(_core.Lstm(_widths(widths), _errors.flag("bfloat16", bfloat16)), bool(bfloat16))


class Muon:
    """Steps of the Muon optimizer on the CPU; `pufferc.optim` has the formula and the torch version.

    Products are taken in `bfloat16` or float32 and summed in float32. No result depends on the number of threads.
    """

    def __init__(self, *, bfloat16: bool) -> None:
        self._core = _core.Muon(_errors.flag("bfloat16", bfloat16))

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
        """Updates parameters and their averages in place, each float32 [rows, columns] or [size] like its gradient.

        torch does not see the change: tell it by torch.autograd.graph.increment_version.
        """
        self._core.step(
            _arrays("parameters", parameters),
            _arrays("averages", averages),
            _arrays("grads", grads),
            _errors.real("learning_rate", learning_rate, -math.inf, math.inf),
            _errors.real("momentum", momentum, -math.inf, math.inf),
            _errors.real("weight_decay", weight_decay, -math.inf, math.inf),
            _errors.integer("iterations", iterations, 0, 100),
        )
