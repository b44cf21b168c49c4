"""The chat's commands, one module for each group; `names.py` lists them, `dispatch.py` finds the right one."""
