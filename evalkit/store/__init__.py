"""The only reader and writer of run folders and logs."""

from evalkit.store.folders import REPORTS, RUN_FILE, find_record, find_run, last_run, new_run_id, record_files
from evalkit.store.lines import parse_line, read_lines
from evalkit.store.logs import LogWriter
from evalkit.store.reader import OpenSession, RunReader, copy_sessions
from evalkit.store.redaction import Hasher
from evalkit.store.response_cache import CACHE, ResponseCache, cache_key, prune_cache
from evalkit.store.sessions import StoredSession, read_session
from evalkit.store.writer import RunWriter, trial_lines

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
    "StoredSession",
    "cache_key",
    "copy_sessions",
    "find_record",
    "find_run",
    "last_run",
    "new_run_id",
    "parse_line",
    "prune_cache",
    "read_lines",
    "read_session",
    "record_files",
    "trial_lines",
]
