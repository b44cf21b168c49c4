"""Strict YAML: text to values that know their file, line and column, and the check of a file against its schema."""

from evalkit.yamlsource.include import beside, find_beside, included_in, with_includes
from evalkit.yamlsource.parser import load_yaml, parse_yaml
from evalkit.yamlsource.patterns import pattern_fault
from evalkit.yamlsource.render import render_yaml
from evalkit.yamlsource.schema import (
    Count,
    FileModel,
    Flag,
    Json,
    JsonMap,
    Number,
    Text,
    Texts,
    check_schema,
    did_you_mean,
    json_schema,
    refusal,
    seconds_of,
    shown,
    unwrapped,
)
from evalkit.yamlsource.source import Source, ValuePath, raise_problems
from evalkit.yamlsource.text import SourceText, decode, read_below, read_bytes_below, read_text

__all__ = [
    "Count",
    "FileModel",
    "Flag",
    "Json",
    "JsonMap",
    "Number",
    "Source",
    "SourceText",
    "Text",
    "Texts",
    "ValuePath",
    "beside",
    "check_schema",
    "decode",
    "did_you_mean",
    "find_beside",
    "included_in",
    "json_schema",
    "load_yaml",
    "parse_yaml",
    "pattern_fault",
    "raise_problems",
    "read_below",
    "read_bytes_below",
    "read_text",
    "refusal",
    "render_yaml",
    "seconds_of",
    "shown",
    "unwrapped",
    "with_includes",
]
