"""Policies: what the trainer asks of a network (base), and the networks that come with it."""

from pufferc.policies.base import Policy, State, action_counts, restart_rows
from pufferc.policies.make import input_map, make_policy
from pufferc.policies.mlp import MLP, FusedMLP, Network
from pufferc.policies.recurrent import LSTM, MinGRU

__all__ = [
    "LSTM",
    "MLP",
    "FusedMLP",
    "MinGRU",
    "Network",
    "Policy",
    "State",
    "action_counts",
    "input_map",
    "make_policy",
    "restart_rows",
]
