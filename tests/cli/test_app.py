from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import pytest
from absl import flags

import bioner_tf
from bioner_tf.cli import app
from bioner_tf.cli.bioner import COMMANDS
from bioner_tf.errors import BionerError, UsageError


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a main in this process; returns its exit code, stdout and stderr."""

    def run(main, *arguments, required=()):
        flag_values = flags.FlagValues()
        flags.DEFINE_integer("epochs", 80, "Passes.", flag_values=flag_values, lower_bound=0)
        flags.DEFINE_string("run_dir", None, "Where to.", flag_values=flag_values)
        for name in required:
            help_text = f"The {name} of version 1.2. It is needed."
            flags.DEFINE_string(name, None, help_text, flag_values=flag_values, required=True)
        flags.DEFINE_string("flagfile", "", "Read flags.", flag_values=flag_values)
        monkeypatch.setattr(sys, "argv", ["/usr/bin/bioner-test", *arguments])
        with pytest.raises(SystemExit) as left:
            app.run(lambda argv: main(argv, flag_values), flag_values)
        output = capsys.readouterr()
        return left.value.code, output.out, output.err

    return run


def show(argv, flag_values):
    print(len(argv), flag_values.epochs, flag_values.run_dir)


def raising(error):
    def main(argv, flag_values):
        raise error

    return main


def test_main_gets_its_flags_and_nothing_else(run):
    assert run(show, "--epochs=3", "--run_dir", "there") == (0, "1 3 there\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stray"], "'stray'"),
        (["--epochs=3", "--", "stray"], "'stray'"),
        (["--epoch=3"], "epoch"),
        (["--epochs=many"], "many"),
        (["--epochs=-1"], "-1"),
        (["--epochs"], "epochs"),
        (["--flagfile=no-such-file"], "no-such-file"),
        (["--flagfile"], "flagfile"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_code_2(run, arguments, told):
    code, out, err = run(show, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith("(see bioner-test --help)\n")
    assert err.count("\n") == 1
    assert told in err


@pytest.mark.parametrize(
    ("required", "told"),
    [
        (["model"], "--model (The model of version 1.2)"),
        (["main", "model"], "--main (The main of version 1.2), --model (The model of version 1.2)"),
    ],
    ids=["one", "two"],
)
def test_missing_flags_are_named_with_what_they_mean(run, required, told):
    line = f"error: missing: {told} (see bioner-test --help)\n"
    assert run(show, required=required) == (2, "", line)


def test_version_needs_no_other_flag(run):
    version = f"bioner_tf {bioner_tf.__version__}\n"
    assert run(show, "--version", required=["model"]) == (0, version, "")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BionerError("train.tsv:7: no tag"), 1, "error: train.tsv:7: no tag\n"),
        (UsageError("one corpus is too few"), 2, "error: one corpus is too few\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (FileNotFoundError(2, "No such file", "a.tsv"), 1, "error: a.tsv: No such file\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_outside_is_one_line(run, error, code, line):
    assert run(raising(error)) == (code, "", line)


def test_on_a_terminal_the_message_replaces_a_bar_that_stopped_half_way(run, monkeypatch):
    def main(argv, flag_values):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        print("\repoch 3 [====      ]", end="", file=sys.stderr)
        raise BionerError("the disk is full")

    code, _, err = run(main)
    assert (code, err.split("\r")[-1]) == (1, "\033[Kerror: the disk is full\n")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bioner-test"])
    with pytest.raises(ZeroDivisionError):
        app.run(lambda argv: 1 // 0, flags.FlagValues())


def test_flagfiles_nest_and_later_flags_win(run, tmp_path):
    (tmp_path / "inner.flags").write_text("# a comment\n--epochs=1\n--run_dir=inner\n")
    (tmp_path / "outer.flags").write_text(f"--flagfile={tmp_path}/inner.flags\n\n--epochs=2\n")
    outer = f"--flagfile={tmp_path}/outer.flags"
    assert run(show, outer)[1] == "1 2 inner\n"
    assert run(show, outer, "--epochs=5")[1] == "1 5 inner\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"bare word\n", "'bare word'"), (b"--nonsense=1\n", "nonsense"), (b"\xff\xfe\n", "UTF-8")],
    ids=["bare word", "unknown flag", "not text"],
)
def test_bad_flagfile_is_one_line_and_code_2(run, tmp_path, content, told):
    (tmp_path / "bad.flags").write_bytes(content)
    code, out, err = run(show, f"--flagfile={tmp_path}/bad.flags")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


def test_help_is_no_setting_of_a_run(run):
    def main(argv, flag_values):
        print(flag_values.flags_into_string())

    assert not {"help", "version"} & set(re.findall(r"\w+", run(main)[1]))


def run_python(source, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


DEMO = "from bioner_tf.cli import demo; demo.entry()"


def test_help_shows_the_commands_own_flags_below_a_summary():
    shown = run_python(DEMO, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Writes two small corpora")
    assert "--data_dir:" in shown.stdout
    assert "--undefok" not in shown.stdout


def test_helpfull_shows_all_flags():
    shown = run_python(DEMO, "--helpfull")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(flag in shown.stdout for flag in ("--data_dir:", "--flagfile:", "helpfull:"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_does_not_wait_for_tensorflow(command):
    done = run_python(
        f"""
        import sys
        from bioner_tf.cli import {command}
        try:
            {command}.entry()
        finally:
            print({{"tensorflow", "gensim"}} & set(sys.modules), file=sys.stderr)
        """,
        "--help",
    )
    assert (done.returncode, done.stderr) == (0, "set()\n")


def test_demo_writes_its_corpora(tmp_path):
    done = run_python(DEMO, f"--data_dir={tmp_path}/demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "abstract.txt",
        "demo-diseases",
        "demo-genes",
        "example.txt",
    ]
    assert f"{tmp_path}/demo/demo-genes/train.tsv\n" in done.stdout


def test_reader_that_stops_reading_ends_the_command_quietly():
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-c", DEMO, "--help"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


def test_interrupt_from_the_keyboard_is_one_line():
    done = run_python(
        """
        import os, signal, sys
        from absl import flags
        from bioner_tf.cli import app
        app.run(lambda argv: os.kill(os.getpid(), signal.SIGINT))
        """
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_flagfiles_of_the_repository_are_understood(repository):
    done = run_python(
        """
        import sys
        from pathlib import Path
        from absl import flags
        from bioner_tf.cli import train
        from bioner_tf.config import STRUCTURES
        read = []
        for path in sorted(Path("flags").glob("*.flags")):
            flags.FLAGS.unparse_flags()
            name = path.stem if path.stem != "demo" else "cross_sharing"
            if name in STRUCTURES:
                assert f"--structure={name}\\n" in path.read_text(), path
                corpora = "a" if name == "single_task" else "a,b"
                required = ["--data_dir=d", f"--corpora={corpora}", "--run_dir=r"]
                assert flags.FLAGS(["train", *required, f"--flagfile={path}"]) == ["train"]
                train.config_from_flags()
                read.append(path.stem)
        print(*read)
        """,
        cwd=repository,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"cross_sharing", "demo", "single_task"} <= set(done.stdout.split())
