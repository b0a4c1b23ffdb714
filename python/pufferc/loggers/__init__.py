"""Displays and logs of a run besides its own files: the terminal, and logging tools of other projects.

lines.py has plain progress lines and the interface of all displays, dashboard.py the panel on a terminal (needs rich).
background.py runs each tool (tensorboard.py, trackio.py, wandb.py) in its own thread. A tool may be slow or fail; the
run continues.
"""

from pufferc.loggers.background import Background, Logger, check_loggers, open_loggers
from pufferc.loggers.lines import Progress, Silent

__all__ = ["Background", "Logger", "Progress", "Silent", "check_loggers", "open_loggers"]
