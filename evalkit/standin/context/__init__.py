"""Shortening a conversation on the server: context edits, compaction at a threshold and on demand."""

from evalkit.standin.context.compact import Compacted, compaction_due
from evalkit.standin.context.edits import Edited, apply_edits

__all__ = ["Compacted", "Edited", "apply_edits", "compaction_due"]
