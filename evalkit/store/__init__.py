"""The only reader and writer of run folders."""

from evalkit.store.folders import RUN_FILE, find_run, last_run, new_run_id
from evalkit.store.reader import OpenSession, RunReader
from evalkit.store.writer import RunWriter

__all__ = ["RUN_FILE", "OpenSession", "RunReader", "RunWriter", "find_run", "last_run", "new_run_id"]
