"""What shows and records a run besides its own files: a terminal, and other people's tools.

lines.py has plain progress lines and the interface of all displays, dashboard.py the panel on a terminal (needs rich).
background.py gives other people's tools, tensorboard.py and wandb.py, a thread of their own each: they may be slow or
fail, the run continues.
"""

from pufferc.loggers.background import Background, Logger, check_loggers, open_loggers
from pufferc.loggers.lines import Progress, Silent

__all__ = ["Background", "Logger", "Progress", "Silent", "check_loggers", "open_loggers"]
