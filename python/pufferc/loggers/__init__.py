"""What a run says: metrics.jsonl, what a terminal shows, and other people's tools.

metrics.py writes metrics.jsonl, always. progress.py is plain progress lines and the interface of all displays,
dashboard.py the panel on a terminal (needs rich). background.py gives other people's tools, tensorboard.py and
wandb.py, a thread of their own each: they may be slow or fail, a run goes on.
"""

from pufferc.loggers.background import Background, Logger, check_loggers, open_loggers
from pufferc.loggers.metrics import MetricsLog, last_line
from pufferc.loggers.progress import Progress, Silent
from pufferc.loggers.text import count, duration, plain, short

__all__ = [
    "Background",
    "Logger",
    "MetricsLog",
    "Progress",
    "Silent",
    "check_loggers",
    "count",
    "duration",
    "last_line",
    "open_loggers",
    "plain",
    "short",
]
