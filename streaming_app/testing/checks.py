"""One promise of a contract: what it says, how it is checked, what to do where it is broken."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from streaming_app.ingest.transform.run_plugin import plugin_name


class Broken(AssertionError):
    """A promise is broken. Raised, not asserted: the kit is of use where Python runs with -O too."""


@dataclass(frozen=True)
class Check:
    """``run`` returns where the promise holds and raises where it is broken."""

    plugin: str
    promise: str
    remedy: str
    run: Callable[[], None]

    def assert_holds(self) -> None:
        """Nothing where the promise holds.

        Raises:
            Broken: the message names the plugin and what to do.
        """
        if problem := self.problem():
            raise Broken(f"{self.plugin} breaks its contract ({self.promise}): {problem}\nwhat to do: {self.remedy}")

    def problem(self) -> str | None:
        """How the promise is broken, None where it holds."""
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
    """A plugin under test, and how another one like it is made, as in another worker."""

    def __init__(self, plugin: Any, method: str) -> None:
        is_made = not isinstance(plugin, type) and callable(getattr(plugin, method, None))
        self._make = None if is_made else plugin
        self.plugin = plugin if is_made else plugin()
        self.name = plugin_name(self.plugin)

    def another(self) -> Any:
        """One more of the kind.

        Raises:
            Broken: there is no way to make one.
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
