"""Lists of regular expressions over user agents: a user's own from text files, and any list as one search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import re2

from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import Files

_BYTES = 32 << 20
"""Memory a search may take for its automaton (RE2's max_mem): 1,500 patterns need 8 MB, and are faster with 32."""


class Patterns:
    """Several patterns in RE2 syntax, searched for at once, in time linear in the text; case matters, ``(?i)`` ends that.

    Raises:
        ConfigError: together they are too large.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._set = re2.Set.SearchSet(_options())
        self.count = 0
        for pattern in patterns:
            self._set.Add(pattern)
            self.count += 1
        try:
            self._set.Compile()
        except re2.error:
            raise ConfigError(f"{self.count} patterns are too many or too large to be searched for at once") from None

    def find_positions(self, text: str) -> Sequence[int]:
        """The places of the patterns that are found in a text, in no order."""
        return self._set.Match(text) or () if self.count else ()

    def found_in(self, text: str) -> bool:
        return bool(self.find_positions(text))


@dataclass(frozen=True)
class PatternList:
    """A user's list and where it came from."""

    uri: str
    patterns: Patterns

    def info(self) -> dict[str, str | int]:
        return {"uri": self.uri, "patterns": self.patterns.count}


def read_lists(uris: Sequence[str | None], files: Files) -> list[PatternList | None]:
    """The list of each URI, None where there is no URI.

    Raises:
        ConfigError: like :func:`read_list`, with the problems of all lists.
    """
    lists: list[PatternList | None] = []
    problems = []
    for uri in uris:
        try:
            lists.append(read_list(uri, files) if uri else None)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems), "RE2's syntax is like most others, without look-around and back-references")
    return lists


def read_list(uri: str, files: Files) -> PatternList:
    """A text file with a pattern a line; blank lines, and lines that begin with ``#``, say nothing.

    Raises:
        ConfigError: it cannot be read, or some lines are no patterns; the message has one line for each problem.
    """
    try:
        lines = files.read_text(uri).removeprefix("\ufeff").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{uri}: cannot be read: {error}") from None
    wanted = [(number, line.strip()) for number, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    wanted = [(number, pattern) for number, pattern in wanted if pattern]
    problems = [f"{uri}:{number}: {problem}" for number, pattern in wanted if (problem := problem_of(pattern))]
    if problems:
        raise ConfigError("\n".join(problems))
    try:
        return PatternList(uri, Patterns(pattern for _, pattern in wanted))
    except ConfigError as error:
        raise ConfigError(f"{uri}: {error}") from None


def problem_of(pattern: str) -> str | None:
    """What is wrong with a pattern, or None.

    >>> problem_of("Spider["), problem_of("bot|"), problem_of("Spider")
    ('missing ]: [', 'it matches every user agent', None)
    """
    try:
        compiled = re2.compile(pattern, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else error
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    # What is found in a text without any content is found everywhere.
    return "it matches every user agent" if compiled.search("\x00") else None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _BYTES
    return options
