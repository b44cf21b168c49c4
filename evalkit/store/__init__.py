"""The only reader and writer of run folders and logs."""

from evalkit.store.excerpt import copy_sessions
from evalkit.store.folders import REPORTS, RUN_FILE, find_run, last_run, new_run_id
from evalkit.store.logs import LogWriter
from evalkit.store.reader import OpenSession, RunReader
from evalkit.store.redaction import Hasher
from evalkit.store.response_cache import CACHE, ResponseCache, cache_key, prune_cache
from evalkit.store.sessions import StoredSession, find_record, parse_line, read_lines, read_session, record_files
from evalkit.store.trial_lines import trial_lines
from evalkit.store.writer import RunWriter

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
