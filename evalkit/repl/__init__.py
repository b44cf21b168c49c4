"""The terminal chat on the engine: a session that knows no terminal, and a terminal that knows no HTTP.

Nothing is imported here, so that the prompt is on the screen before anything heavy is loaded.
"""
