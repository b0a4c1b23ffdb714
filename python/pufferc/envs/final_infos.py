"""The infos of a step that ended episodes, in the layout of Gymnasium's vector environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Flags = NDArray[np.bool_]


class Ended:
    """Views of the final results of rows, all or one group's, and the info dictionaries made from them."""

    def __init__(self, mask: Flags, stats: dict[str, Array], final: Array | None) -> None:
        """`mask` bool [n], `stats` arrays [n], `final` observations [n, O...] or None without same-step autoreset."""
        self.mask, self.stats, self.final = mask, stats, final
        self._episode = {
            name: array for key, values in stats.items() for name, array in ((key, values), ("_" + key, mask))
        }

    def part(self, rows: slice) -> Ended:
        """The same for some of the rows."""
        stats = {key: values[rows] for key, values in self.stats.items()}
        return Ended(self.mask[rows], stats, None if self.final is None else self.final[rows])

    def infos(self, copy: bool) -> dict[str, Any]:
        """New dictionaries, over the views or over copies of them."""
        if copy:
            stats = {key: values.copy() for key, values in self.stats.items()}
            final = None if self.final is None else self.final.copy()
            return Ended(self.mask.copy(), stats, final).infos(False)
        mask = self.mask
        final_info = {"episode": self._episode.copy(), "_episode": mask}
        if self.final is None:
            return {"final_info": final_info, "_final_info": mask}
        return {"final_obs": self.final, "_final_obs": mask, "final_info": final_info, "_final_info": mask}
