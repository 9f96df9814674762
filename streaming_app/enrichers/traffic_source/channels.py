"""Channel groups: an ordered list of rules over the traffic columns and the referrer, the first that matches counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import re2

from streaming_app.enrichers.traffic_source.rule_files import AllOf, AnyOf, ChannelRule, Comparison

ChannelFields = Mapping[str, str | None]
"""Values by the field names of the rules, in lower case."""
_Test = Callable[[ChannelFields], bool]
_EMPTY = "__empty__"
# To RE2 these are of ASCII alone.
_OF_UNICODE = re.compile(r"\\[wdsb]", re.IGNORECASE)
_LONGEST = 2_048
"""Characters of a text that a pattern which is not for RE2 looks at: no traffic column keeps more."""


class Channels:
    """The rules of the channel file, compiled."""

    def __init__(self, rules: Iterable[ChannelRule]) -> None:
        rules = tuple(rules)
        self._rules = [(_test(rule.condition), rule.channel) for rule in rules]
        self.look_at_urls = any(_looks_at_urls(rule.condition) for rule in rules)
        """Whether a rule needs the whole address of a referrer, not only whether there is one."""

    def first(self, fields: ChannelFields) -> str | None:
        """The channel of the first rule that matches; None if none does."""
        lowered = {name: value and value.lower() for name, value in fields.items()}
        return next((channel for holds, channel in self._rules if holds(lowered)), None)


def _looks_at_urls(condition: AllOf | AnyOf | Comparison) -> bool:
    if isinstance(condition, Comparison):
        return condition.field == "page_view_latest_referrer" and condition.value != _EMPTY
    return any(_looks_at_urls(part) for part in condition.parts)


def _test(condition: AllOf | AnyOf | Comparison) -> _Test:
    if isinstance(condition, Comparison):
        return _leaf(condition)
    parts = [_test(part) for part in condition.parts]
    if isinstance(condition, AllOf):
        return lambda fields: all(part(fields) for part in parts)
    return lambda fields: any(part(fields) for part in parts)


def _leaf(leaf: Comparison) -> _Test:
    """A comparison without regard to case. No value counts as empty text, but for ``in``, where it is in no list."""
    name, operator = leaf.field, leaf.op.removeprefix("not_")
    wanted = leaf.op == operator
    if operator == "in":
        values = frozenset(_operand(value) for value in leaf.values or ())
        return lambda fields: (fields[name] in values) is wanted
    compare = _comparison(operator, leaf.value or "")
    return lambda fields: compare(fields[name] or "") is wanted


def _comparison(operator: str, value: str) -> Callable[[str], bool]:
    if operator == "match":
        return _matching(value)
    operand = _operand(value)
    return {
        "eq": lambda text: text == operand,
        "contain": lambda text: operand in text,
        "start_with": lambda text: text.startswith(operand),
        "end_with": lambda text: text.endswith(operand),
    }[operator]


def _matching(pattern: str) -> Callable[[str], bool]:
    """Whether the whole text matches. RE2 takes time linear in the text; what it does not have, as look-around, ``re`` does."""
    if not _OF_UNICODE.search(pattern):
        options = re2.Options()
        options.case_sensitive, options.log_errors = False, False
        try:
            linear = re2.compile(pattern, options)
        except re2.error:
            pass
        else:
            return lambda text: linear.fullmatch(text) is not None
    other = re.compile(pattern, re.IGNORECASE)
    return lambda text: other.fullmatch(text[:_LONGEST]) is not None


def _operand(value: str) -> str:
    return "" if value == _EMPTY else value.lower()
