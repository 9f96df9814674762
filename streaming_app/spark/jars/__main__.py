"""``python -m streaming_app.spark.jars``: downloads missing jars in advance.

``--checksums`` also verifies the content of the jars that are there already. ``--renew`` updates the list of locked jars, after a
change of pyspark or delta-spark in pyproject.toml.
"""

from __future__ import annotations

import logging
import sys

from streaming_app.errors import ClickstreamError
from streaming_app.model.client_text import escape


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    unknown = set(arguments) - {"--checksums", "--renew"}
    if unknown:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if "--renew" in arguments:
            from streaming_app.spark.jars.renew import renew  # noqa: PLC0415 - used by this option only

            renew()
        else:
            from streaming_app.spark.jars.folder import complete  # noqa: PLC0415 - its imports take most of the run's time
            from streaming_app.spark.jars.lock import locked_jars  # noqa: PLC0415

            complete(locked_jars(), checksums="--checksums" in arguments)
    except ClickstreamError as error:
        print(escape(f"error: {error}\nhint: {error.hint}", lines=True), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
