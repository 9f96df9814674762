"""The command line: one function per command that parses, calls and prints.

Exit codes: 0 done; 1 unexpected error; 2 bad configuration or query; 3 source unreadable; 4 table or checkpoint unusable;
5 something missing on this machine; 6 a batch's counts did not add up; 7 a hook of yours failed;
8 another process writes to the tables.
"""

from __future__ import annotations

import logging
import sys

from cyclopts import App, CycloptsError
from rich.console import Console

from streaming_app import __version__
from streaming_app.cli.config_commands import config_app
from streaming_app.cli.demo_command import demo
from streaming_app.cli.doctor_command import doctor
from streaming_app.cli.erase_command import erase
from streaming_app.cli.explain_command import explain
from streaming_app.cli.maintain_command import maintain
from streaming_app.cli.maintenance_commands import optimize, vacuum
from streaming_app.cli.operation_commands import backfill, rebuild, replay, reprocess
from streaming_app.cli.package_command import package
from streaming_app.cli.plugin_commands import plugins_app
from streaming_app.cli.query_commands import inspect, sql
from streaming_app.cli.report_command import report
from streaming_app.cli.run_command import run
from streaming_app.cli.submit_command import submit
from streaming_app.cli.table_commands import tables_app
from streaming_app.cli.terminal import EscapingFormatter, console
from streaming_app.errors import ClickstreamError
from streaming_app.spark.jvm_log import discard_jvm_log, jvm_log
from streaming_app.spark.required_classes import missing_class

app = App(
    name="clickstream",
    help="Raw clickstream requests become Delta tables: exactly once, replayable.",
    help_epilogue=(__doc__ or "").partition("\n\n")[2],
    version=__version__,
    suppress_keyboard_interrupt=False,  # it has an exit code of its own, below
)
app.command(run)
app.command(submit)
app.command(backfill)
app.command(reprocess)
app.command(replay)
app.command(rebuild)
app.command(erase)
app.command(maintain)
app.command(doctor)
app.command(optimize)
app.command(vacuum)
app.command(demo)
app.command(inspect)
app.command(explain)
app.command(report)
app.command(sql)
app.command(config_app)
app.command(plugins_app)
app.command(package)
app.command(tables_app)


def main() -> None:
    """Entry point of the ``clickstream`` script. ``--debug`` anywhere shows tracebacks and debug logs."""
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    _set_up_logging(debug=debug)
    code = _exit_code(arguments, debug)
    if code == 0:
        discard_jvm_log()
    elif said := jvm_log():
        console(stderr=True, soft_wrap=True, highlight=False).print(f"the log of Java: {said}", markup=False)
    sys.exit(code)


def _set_up_logging(*, debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler])
    logging.getLogger("clickstream").setLevel(logging.DEBUG if debug else logging.INFO)
    for name in ("botocore", "boto3", "py4j"):
        # They would log session tokens, and all data that tasks are sent, among it the configuration's secrets.
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.WARNING)


def _exit_code(arguments: list[str], debug: bool) -> int:
    errors = console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return 2
    except ClickstreamError as error:
        if debug:
            errors.print_exception()
        _print_error(errors, str(error), error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        _print_error(errors, "interrupted", "what was committed stays; the next run goes on from there")
        return 130
    except Exception as error:
        if debug:
            errors.print_exception()
        if problem := missing_class(str(error)):
            _print_error(errors, str(problem), problem.hint)
            return problem.exit_code
        if not debug and not errors.is_terminal:  # a log, whose reader cannot repeat it with --debug
            logging.getLogger("clickstream").exception("unexpected error")
        _print_error(errors, f"unexpected {type(error).__name__}: {str(error).partition(chr(10))[0]}", "--debug shows where")
        return 1
    return 0


def _print_error(errors: Console, message: str, hint: str) -> None:
    errors.print(f"error: {message}", style="red", markup=False)
    if hint:
        errors.print(f"hint: {hint}", markup=False)
