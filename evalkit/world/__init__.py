"""Worlds: entities, and tools that read and write them as data says, so that a write is seen by a later read."""

from evalkit.world.format import WorldFile
from evalkit.world.play import Answer, Course, Entities, World, Write, changed_between
from evalkit.world.reading import WorldRead, read_world

__all__ = ["Answer", "Course", "Entities", "World", "WorldFile", "WorldRead", "Write", "changed_between", "read_world"]
