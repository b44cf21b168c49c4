"""The only reader and writer of run folders and logs."""

from evalkit.store.files import (
    REPORTS,
    RUN_FILE,
    find_record,
    find_run,
    new_run_id,
    parse_line,
    read_lines,
    record_files,
    turns_of,
)
from evalkit.store.reader import OpenSession, RunReader, StoredSession, copy_sessions, read_session
from evalkit.store.redaction import Hasher
from evalkit.store.response_cache import CACHE, ResponseCache, cache_key, prune_cache
from evalkit.store.scrubbing import Scrubber
from evalkit.store.writer import LogWriter, RunWriter, trial_lines

__all__ = [
    "CACHE",
    "REPORTS",
    "RUN_FILE",
    "Hasher",
    "LogWriter",
    "OpenSession",
    "ResponseCache",
    "RunReader",
    "RunWriter",
    "Scrubber",
    "StoredSession",
    "cache_key",
    "copy_sessions",
    "find_record",
    "find_run",
    "new_run_id",
    "parse_line",
    "prune_cache",
    "read_lines",
    "read_session",
    "record_files",
    "trial_lines",
    "turns_of",
]
