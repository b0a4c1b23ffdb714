"""Environments: the pool as Gymnasium's vector and single environments, the games there are, and adapters."""

import gymnasium

_OLDEST = (1, 1)  # the first with AutoresetMode; as in pyproject.toml

if tuple(int(part) for part in gymnasium.__version__.split(".")[:2]) < _OLDEST:
    raise ImportError(
        f"pufferc needs gymnasium {_OLDEST[0]}.{_OLDEST[1]} or later, got {gymnasium.__version__}; update it with: "
        f"pip install 'gymnasium>={_OLDEST[0]}.{_OLDEST[1]}'"
    )
