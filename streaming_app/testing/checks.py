"""A check of one rule of a plugin's contract, with the remedy if the rule is broken."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from streaming_app.ingest.transform.run_plugin import plugin_name


class Broken(AssertionError):
    """A rule of the contract is broken. Raised explicitly, so that the kit also works if Python runs with -O."""


@dataclass(frozen=True)
class Check:
    """``run`` returns if the rule holds and raises if it is broken."""

    plugin: str
    promise: str
    remedy: str
    run: Callable[[], None]

    def assert_holds(self) -> None:
        """Check that the rule holds.

        Raises:
            Broken: the message names the plugin and what to do.
        """
        if problem := self.problem():
            raise Broken(f"{self.plugin} breaks its contract ({self.promise}): {problem}\nwhat to do: {self.remedy}")

    def problem(self) -> str | None:
        """How the rule is broken; None if it holds."""
        try:
            self.run()
        except Broken as error:
            return str(error)
        except Exception as error:
            return f"it raised {type(error).__name__}: {error}"
        return None


def assert_all(checks: Iterable[Check]) -> None:
    for check in checks:
        check.assert_holds()


class Subject:
    """A plugin under test, with a way to create another instance, as in another worker."""

    def __init__(self, plugin: Any, method: str) -> None:
        is_made = not isinstance(plugin, type) and callable(getattr(plugin, method, None))
        self._make = None if is_made else plugin
        self.plugin = plugin if is_made else plugin()
        self.name = plugin_name(self.plugin)

    def another(self) -> Any:
        """Create another instance.

        Raises:
            Broken: it cannot be created.
        """
        if self._make is not None:
            return self._make()
        try:
            return pickle.loads(pickle.dumps(self.plugin))  # noqa: S301 - what we pickled ourselves
        except Exception as error:
            raise Broken(f"it cannot be pickled ({type(error).__name__}: {error})") from error


REMAKE = (
    "keep nothing in its class or module that calls share; where it cannot be pickled, hand over what makes it: lambda: Mine()"
)
