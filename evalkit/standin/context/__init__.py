"""Shortening a conversation on the server: context edits, compaction at a threshold and on demand."""
