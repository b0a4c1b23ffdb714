"""`pufferc view`: one HTML page of runs and sweeps, as a file or served live. See docs/view.md.

    collection.py   finds runs and sweeps in folders and notices changes
    sweeps.py       the runs of a sweep's folder
    logs.py         the columns of metrics.jsonl, in full or averaged to a number of points
    page.py         puts data, style, script and uPlot into one page
    server.py       serves the page and its updates on this machine
    uplot.py        finds or downloads the charts' library
    assets/         the page's HTML, style and script

`sweep` and `training` do not know this package.
"""

from pufferc.view.page import write_page
from pufferc.view.server import open_live, serve

__all__ = ["open_live", "serve", "write_page"]
