"""The commands, one module each. The only files that touch absl flags; imported by nothing.

A command parses its flags and calls one function of the folders below.
"""
