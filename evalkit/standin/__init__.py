"""The embedded Messages API server: protocol, prompt-cache model, script and faults, in that order of trust.

Visibly a stand-in: ids say so, every response carries `x-evalkit-stand-in: 1`, and it says nothing about Claude.
"""

from evalkit.standin.faults import FAULTS, Fault, FaultRates
from evalkit.standin.protocol.ratelimits import RateLimits
from evalkit.standin.reply import Answer, Cue, JsonObject, NoScript, Reply
from evalkit.standin.server import StandIn, open_listener, serve, url_of

__all__ = [
    "FAULTS",
    "Answer",
    "Cue",
    "Fault",
    "FaultRates",
    "JsonObject",
    "NoScript",
    "RateLimits",
    "Reply",
    "StandIn",
    "open_listener",
    "serve",
    "url_of",
]
