"""Hyperparameter sweeps: `pufferc sweep NAME`. See docs/sweeps.md.

space.py says what varies, search.py proposes, workers.py and worker.py train, stopping.py ends hopeless runs early,
runner.py ties them together; trials.py and plan.py are the files, objective.py, text.py and plots.py the results.
"""
