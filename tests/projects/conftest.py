"""The projects below are played by their tests, not by evalkit's pytest plugin."""

collect_ignore_glob = ["*/suites/*"]
