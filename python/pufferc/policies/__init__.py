"""Policies: the interface of the trainer (base), and the built-in networks."""

from pufferc.policies.base import Policy, State, restart_rows
from pufferc.policies.distributions import DiscreteHead, GaussianHead, Head, make_head
from pufferc.policies.encoders import Conv, Encoder, Flat, OneHot, Sets
from pufferc.policies.fused import FusedLSTM, FusedMinGRU
from pufferc.policies.make import input_map, input_scales, make_policy
from pufferc.policies.mlp import MLP, CodesMLP, FusedMLP, Network
from pufferc.policies.recurrent import LSTM, MinGRU
from pufferc.policies.user import PolicySpec

__all__ = [
    "LSTM",
    "MLP",
    "CodesMLP",
    "Conv",
    "DiscreteHead",
    "Encoder",
    "Flat",
    "FusedLSTM",
    "FusedMLP",
    "FusedMinGRU",
    "GaussianHead",
    "Head",
    "MinGRU",
    "Network",
    "OneHot",
    "Policy",
    "PolicySpec",
    "Sets",
    "State",
    "input_map",
    "input_scales",
    "make_head",
    "make_policy",
    "restart_rows",
]
