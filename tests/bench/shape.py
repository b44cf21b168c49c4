"""The shape of the code in figures: `python -m tests.bench.shape [FOLDER …]`, this checkout's or those of others.

A private function is used once when its name stands in its own file only once beside its definition. Import lines are
the lines of import statements, over all lines. `small` are files under 80 lines, `large` those over 450.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Shape:
    """The figures of one package."""

    files: int
    lines: int
    median_file: float
    import_lines: int
    functions: int
    over_50_lines: int
    private: int
    private_used_once: int
    comment_lines: int
    packages: int
    small: int
    large: int

    def rows(self) -> dict[str, str]:
        """Return each figure as people read it, by its name."""
        return {
            "files": str(self.files),
            "lines": f"{self.lines:,}",
            "files per 1,000 lines": f"{1000 * self.files / self.lines:.1f}",
            "median file, lines": f"{self.median_file:g}",
            "files under 80 / over 450 lines": f"{self.small} / {self.large}",
            "import lines": f"{self.import_lines:,} ({self.import_lines / self.lines:.1%})",
            "functions over 50 lines": f"{self.over_50_lines} of {self.functions:,}",
            "private functions used once": f"{self.private_used_once} of {self.private:,}"
            f" ({self.private_used_once / self.private:.0%})",
            "whole-line comments": str(self.comment_lines),
            "third-party packages imported": str(self.packages),
        }


def measure(package: Path) -> Shape:
    """Return the figures of the modules below a folder."""
    sources = {path: path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    sizes = [len(text.splitlines()) for text in sources.values()]
    import_lines = functions = long = private = once = 0
    packages: set[str] = set()
    for text in sources.values():
        words = Counter(re.findall(r"\w+", text))
        nodes = list(ast.walk(ast.parse(text)))
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        import_lines += sum(_lines(node) for node in imports)
        packages |= {name.partition(".")[0] for node in imports for name in _modules(node)}
        defined = [node for node in nodes if isinstance(node, FUNCTIONS)]
        functions += len(defined)
        long += sum(_lines(node) > 50 for node in defined)
        names = Counter(node.name for node in defined if re.match(r"_[^_]", node.name))
        private += names.total()
        once += sum(count for name, count in names.items() if words[name] <= count + 1)
    comments = sum(line.lstrip().startswith("#") for text in sources.values() for line in text.splitlines())
    return Shape(
        files=len(sources),
        lines=sum(sizes),
        median_file=statistics.median(sizes),
        import_lines=import_lines,
        functions=functions,
        over_50_lines=long,
        private=private,
        private_used_once=once,
        comment_lines=comments,
        packages=len(packages - sys.stdlib_module_names - {package.name}),
        small=sum(size < 80 for size in sizes),
        large=sum(size > 450 for size in sizes),
    )


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if node.module and not node.level else []


def main() -> None:
    """Print the figures, a column a folder."""
    folders = [Path(argument) for argument in sys.argv[1:]] or [Path()]
    columns = [measure(folder / "evalkit").rows() for folder in folders]
    for name in columns[0]:
        print(f"{name:<34}" + "".join(f"{column[name]:>18}" for column in columns))


if __name__ == "__main__":
    main()
