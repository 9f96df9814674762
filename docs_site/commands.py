"""The reference page of the command line, from the commands themselves."""

from __future__ import annotations

import re

from streaming_app import cli

_HEAD = """# Command line

Every command with its options. Generated from `streaming_app/cli/` by `make reference`; a test compares. The option `--debug`
shows tracebacks and debug logs of any command. [Operate](../how-to/operations.md) says when to use which command.

## Exit codes

| code | meaning |
|---|---|
"""


def commands_page() -> str:
    """Return the page as Markdown: exit codes, then a section for each command."""
    codes = re.sub(r"\s+", " ", (cli.__doc__ or "").partition("Exit codes:")[2]).strip(" .")
    rows = "".join("| {} | {} |\n".format(*each.strip().split(" ", 1)) for each in codes.split(";"))
    generated = cli.app.generate_docs(output_format="markdown", recursive=True)
    commands = re.split(r"\n(?=## clickstream )", generated, maxsplit=1)[1]
    return f"{_HEAD}{rows}| 130 | interrupted |\n\n{_tidy(commands)}\n"


def _tidy(markdown: str) -> str:
    """Without the exit codes after each command, how Python was called, trailing blanks and empty lines in a row."""
    text = re.sub(r"\n+Exit codes: .*?(?=\n\n|\Z)", "", markdown, flags=re.DOTALL)
    text = re.sub(r"^(clickstream[ \w-]*?) -m [\w.]+", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^Example: (.*)$", r"    \1", text, flags=re.MULTILINE)
    text = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", text).strip()
