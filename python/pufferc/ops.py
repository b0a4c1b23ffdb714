"""Training kernels for any program: advantages, drawing actions, and the PPO loss. See `pufferc.kernels.public`."""

from pufferc.kernels.public import *  # noqa: F403
from pufferc.kernels.public import __all__ as __all__
