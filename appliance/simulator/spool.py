"""A spool whose RAM somebody else may fill: nothing is left of it for a photo of ours.

Really filling it would fill the whole machine's, for a demo has no file system of its own. What
looks for room is the panel, and what it finds is all that differs.
"""

from appliance.config import PathSettings, SpoolSettings
from appliance.simulator import refuse_production
from appliance.spool import Spool


class SimulatedSpool(Spool):
    """The real one, full while ``paths.no_room`` exists."""

    def __init__(self, paths: PathSettings, settings: SpoolSettings) -> None:
        refuse_production(paths.production, "the spool")
        super().__init__(paths, settings)
        self._no_room = paths.no_room

    def has_room(self) -> bool:
        return super().has_room() and not self._no_room.exists()
