"""The stand-in's script: what it says, as data beside a prompt, and how that is read and played."""

from evalkit.standin.script.play import play, player
from evalkit.standin.script.script import Script, Stuck, check_script, load_script, read_script, script_path

__all__ = ["Script", "Stuck", "check_script", "load_script", "play", "player", "read_script", "script_path"]
