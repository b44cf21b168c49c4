"""The stand-in's faults: the table, what they do to a reply or the wire, and which one strikes a request."""

from evalkit.standin.faults.table import FAULTS, Fault, FaultRates, find_fault
from evalkit.standin.faults.wire import Drop, Reset, Send, Stall, Step, Wait, healthy

__all__ = ["FAULTS", "Drop", "Fault", "FaultRates", "Reset", "Send", "Stall", "Step", "Wait", "find_fault", "healthy"]
