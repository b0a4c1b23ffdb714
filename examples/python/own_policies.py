"""Two custom networks for `pufferc train`; docs/policies.md has the contract.

    pufferc train cartpole --policy.class own_policies:ActorCritic
    pufferc train tmaze --policy.class own_policies:Gru

Shapes: T steps, M rows, K logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pufferc.policies import Policy, PolicySpec, State


class ActorCritic(nn.Module):
    """A policy without memory can be any torch module. This one has separate networks for actions and value."""

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        inputs, hidden = spec.observation_space.shape[0], spec.hidden_size
        self.actor = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, spec.outputs - 1))
        self.critic = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, observations: Tensor) -> Tensor:
        """Returns logits, then the value: float32 [M, K + 1], for observations float32 [M, inputs]."""
        return torch.cat([self.actor(observations), self.critic(observations)], dim=-1)


class Gru(Policy):
    """A policy with memory: a gated recurrent unit. The state is one tensor [M, H], zero at the start of an episode."""

    recurrent = True
    input_dtype = torch.float32

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__()
        self.encoder = nn.Linear(spec.observation_space.shape[0], spec.hidden_size)
        self.cell = nn.GRUCell(spec.hidden_size, spec.hidden_size)
        self.output = nn.Linear(spec.hidden_size, spec.outputs)

    def initial_state(self, rows: int, device: torch.device) -> State:
        return (torch.zeros(rows, self.cell.hidden_size, device=device),)

    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of acting: returns outputs [M, K + 1] for observations [M, inputs], and the new state."""
        h = self.cell(torch.relu(self.encoder(observations)), state[0])
        return self.output(h), (h,)

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        """The same over T steps: outputs [T, M, K + 1]. `starts` bool [T, M] marks the first steps of episodes."""
        x, h, outputs = torch.relu(self.encoder(observations)), state[0], []
        for t in range(x.shape[0]):
            if starts is not None:
                h = h.masked_fill(starts[t].unsqueeze(-1), 0.0)
            h = self.cell(x[t], h)
            outputs.append(h)
        return self.output(torch.stack(outputs))
