"""A ModelGates that runs on this machine: the same API, real clips, and faults on demand."""

from local.simulator.frames import FPS, fit
from local.simulator.settings import Settings
from local.simulator.simulator import Simulator
from local.simulator.webhooks import sign

__all__ = ["FPS", "Settings", "Simulator", "fit", "sign"]
