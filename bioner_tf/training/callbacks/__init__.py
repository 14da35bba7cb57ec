"""What a run does between its updates: scores, checks, saves and shows progress.

Keras callbacks, one module for each purpose; ``training/fitting.py`` puts them in order.
"""

from typing import Any

# The logs of Keras: numbers by name.
Logs = dict[str, Any]
