"""Hyperparameter sweeps: `pufferc sweep NAME`. See docs/sweeps.md.

Optuna has the storage, samplers and pruners. space.py says what varies, cost.py is our sampler, confirm.py decides what
is run again with fresh seeds, workers.py and worker.py train, runner.py ties them together; study.py and trials.py are
the journal, objective.py, text.py and plots.py the results.
"""

from pufferc.config import ConfigError

try:
    import optuna
except ImportError:
    raise ConfigError("sweep needs optuna; install it with: pip install 'pufferc[sweep]'") from None

optuna.logging.set_verbosity(optuna.logging.ERROR)
