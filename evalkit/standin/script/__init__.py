"""The stand-in's script: what it says, as data beside a prompt, and how that is read and played."""

from evalkit.standin.script.load import check_script, load_script, read_script, script_path
from evalkit.standin.script.play import Stuck, play
from evalkit.standin.script.player import player
from evalkit.standin.script.rules import Script

__all__ = ["Script", "Stuck", "check_script", "load_script", "play", "player", "read_script", "script_path"]
