"""How a page of results was made: by which command, on which machine, on which day."""

from __future__ import annotations

import dataclasses
import datetime
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path

from bioner_tf.machine import count_cores

_CPU_INFO = Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Origin:
    """How a page was made.

    Attributes:
        command: The command line.
        machine: CPU model and number of cores.
        date: The day, as YYYY-MM-DD.
    """

    command: str
    machine: str
    date: str

    @classmethod
    def here_and_now(cls, program: str, paths: Mapping[str, str | None]) -> Origin:
        """Returns the origin of a page that is made now, on this machine.

        Args:
            program: The name of the command.
            paths: The values of its path flags; None: not given. Absolute paths are shortened to
                their last part, because the rest does not help a reader.
        """
        given = [f"--{name}={_portable(path)}" for name, path in paths.items() if path]
        return cls(
            shlex.join([program, *given]),
            describe_machine(),
            datetime.date.today().isoformat(),
        )

    def sentence(self) -> str:
        """Returns the origin as a Markdown sentence."""
        return f"Made by `{self.command}` on {self.date}; machine: {self.machine}."


def describe_machine(cpu_info: Path = _CPU_INFO) -> str:
    """Returns the CPU's model and how many cores this process may use."""
    cores = count_cores()
    return f"{_cpu_model(cpu_info)}, {cores} core{'' if cores == 1 else 's'}"


def _cpu_model(cpu_info: Path) -> str:
    if cpu_info.exists():
        for line in cpu_info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _portable(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path
