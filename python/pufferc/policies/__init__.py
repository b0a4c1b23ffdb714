"""Policies: what the trainer asks of a network (base), and the networks that come with it."""

from pufferc.policies.base import Policy, State, restart_rows
from pufferc.policies.heads import DiscreteHead, GaussianHead, Head, make_head
from pufferc.policies.make import input_map, make_policy
from pufferc.policies.mlp import MLP, FusedMLP, Network
from pufferc.policies.recurrent import LSTM, MinGRU
from pufferc.policies.user import PolicySpec

__all__ = [
    "LSTM",
    "MLP",
    "DiscreteHead",
    "FusedMLP",
    "GaussianHead",
    "Head",
    "MinGRU",
    "Network",
    "Policy",
    "PolicySpec",
    "State",
    "input_map",
    "make_head",
    "make_policy",
    "restart_rows",
]
