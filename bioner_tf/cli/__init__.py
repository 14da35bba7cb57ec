"""The commands: one module each, the only files that touch absl flags."""
