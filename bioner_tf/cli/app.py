"""How every command starts and how it ends.

A command's module defines its flags, ``main``, and the console script ``entry = command(main)``.
Whatever a user can do wrong ends in one line on stderr and an exit code:

======  ============================================================================
code    meaning
======  ============================================================================
0       done, or help was asked for
1       something outside the program is wrong: a file, a corpus, a model, the disk
2       the command was given wrong flags
130     interrupted from the keyboard
141     the reader of the output has gone away
======  ============================================================================

TensorFlow is slow to import, so a command's module imports it inside ``main``, after its flags have
been parsed: help and usage errors come at once.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any, Callable, NoReturn

from absl import flags

import bioner_tf
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.terminal import clear_line

Main = Callable[[list[str]], None]

# The project's flagfiles, flags/*.flags, as they are installed.
_DATA = Path(__file__).resolve().parents[1] / "data"
# What absl says of a required flag that is not given.
_MISSING = re.compile(r"Flag --(\w+) must have a value other than None")
_INTERRUPTED = 130
_OUTPUT_CLOSED = 141


def command(main: Main) -> Callable[[], NoReturn]:
    """Returns the console script of a command."""
    return functools.partial(run, main)


def run(main: Main, flag_values: flags.FlagValues = flags.FLAGS) -> NoReturn:
    """Parses the command line, calls ``main`` and leaves the process.

    Args:
      main: The command. It gets the program's name as the only element of its argument list; the
        docstring of its module is the summary that ``--help`` shows.
      flag_values: The flags that the command has defined.

    Raises:
      SystemExit: Always; the module's docstring lists the codes.
    """
    use_utf8()
    _quieten_tensorflow()
    logging.basicConfig(format="warning: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        # A letter that the terminal cannot show is printed as its number.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    program = Path(sys.argv[0]).name
    try:
        _define_help(main, program, flag_values)
        main(_parse(sys.argv, program, flag_values))
        # Notice a reader that has gone away here, not when the interpreter ends.
        sys.stdout.flush()
    except BionerError as error:
        _leave(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # Or Python would report the closed stdout again when it flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_OUTPUT_CLOSED)
    except OSError as error:
        if error.strerror is None:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        _leave(f"error: {where}{error.strerror}", BionerError.exit_code)
    sys.exit(0)


def use_utf8() -> None:
    """Starts the command again in Python's UTF-8 mode where the locale has another encoding.

    Names in corpora and run directories are UTF-8. In another encoding, the same names on the
    command line and in flagfiles would be other strings.
    """
    program = Path(sys.argv[0])
    # A program that calls commands has no script to start again.
    if sys.getfilesystemencoding() == "utf-8" or not program.is_file():
        return
    module = sys.modules["__main__"].__spec__
    script = [str(program)] if module is None else ["-m", module.name]
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *script, *sys.argv[1:]])


def _quieten_tensorflow() -> None:
    # At level 2, TensorFlow 2.15 still greets every user with three lines about CUDA factories.
    # What really fails is raised as a Python exception all the same.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Its Python part would list every variable of a checkpoint that does not fit, after our error.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # The project knows that tensorflow-addons is at its end of life; a user cannot act on it.
    warnings.filterwarnings(
        "ignore",
        message=r"\s*TensorFlow Addons \(TFA\) has ended development",
        category=UserWarning,
    )


def _parse(argv: list[str], program: str, flag_values: flags.FlagValues) -> list[str]:
    """Sets the flags from ``argv``.

    Returns:
      The program's name, which is all that may be left over.

    Raises:
      UsageError: An unknown flag, a wrong value, a missing flag, a flagfile that cannot be read, or
        a bare word.
    """
    help_hint = f"(see {program} --help)"
    for argument in argv[1:]:
        if argument != argument.encode(errors="replace").decode():
            raise UsageError(
                f"expected arguments in UTF-8, got {argument!r}; rename what it names {help_hint}"
            )
    try:
        left_over = flag_values([_installed_flagfile(argument) for argument in argv])
    except flags.Error as error:
        if missing := _MISSING.findall(str(error)):
            wanted = ", ".join(f"--{name} ({_describe(flag_values[name])})" for name in missing)
            raise UsageError(f"missing: {wanted} {help_hint}") from error
        # absl begins some of its messages with "ERROR::" and wraps others.
        message = " ".join(str(error).replace("ERROR::", "").split())
        raise UsageError(f"{message} {help_hint}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"a flagfile is not UTF-8 text: {error} {help_hint}") from error
    if len(left_over) > 1:
        raise UsageError(
            f"unexpected argument {left_over[1]!r}: every setting is a flag, like --name=value "
            f"{help_hint}"
        )
    return left_over


def _describe(flag: flags.Flag) -> str:
    """Returns the first sentence of a flag's help."""
    return re.split(r"\.(?: |$)", flag.help, maxsplit=1)[0]


def _installed_flagfile(argument: str) -> str:
    """Points ``--flagfile=flags/NAME`` to the installed file where there is none of that name."""
    option, _, path = argument.partition("=")
    is_ours = option in ("--flagfile", "-flagfile") and path.startswith("flags/")
    if is_ours and not Path(path).exists() and (_DATA / path).is_file():
        return f"{option}={_DATA / path}"
    return argument


class _HelpFlag(flags.BooleanFlag):
    """A flag that prints a text and leaves with success as soon as it is met.

    Args:
      name: The flag's name.
      render: Makes the text.
      help_text: What the flag's own help says.
      short_name: One letter, or None.
    """

    def __init__(
        self,
        name: str,
        render: Callable[[], str],
        help_text: str,
        short_name: str | None = None,
    ) -> None:
        # None unless given: the flags.txt of a run shall not hold --nohelp.
        super().__init__(name, None, help_text, short_name=short_name)
        self._render = render

    def parse(self, arg: Any) -> None:
        """Prints and leaves, unless the flag is given as ``--nohelp``."""
        super().parse(arg)
        if self.value:
            print(self._render())
            sys.stdout.flush()
            sys.exit(0)


def _define_help(main: Main, program: str, flag_values: flags.FlagValues) -> None:
    summary = inspect.getdoc(inspect.getmodule(main)) or ""
    usage = f"{summary}\n\nusage: {program} [--flag=value ...]\n"

    def render_own() -> str:
        own = flag_values.module_help(main.__module__)
        return f"{usage}{own}\n\n--flagfile=FILE reads flags from a file; --helpfull shows all."

    def render_all() -> str:
        return f"{usage}{flag_values.get_help()}"

    for flag in (
        _HelpFlag("help", render_own, "Show this command's flags and leave.", short_name="h"),
        _HelpFlag("helpfull", render_all, "Show all flags and leave."),
        _HelpFlag("version", _render_version, "Show the version and leave."),
    ):
        flags.DEFINE_flag(flag, flag_values, module_name=__name__)


def _render_version() -> str:
    return f"bioner_tf {bioner_tf.__version__}"


def _leave(message: str, exit_code: int) -> NoReturn:
    clear_line()
    print(message, file=sys.stderr)
    sys.exit(exit_code)
