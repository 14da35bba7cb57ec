"""The paper's experiments: what is run, what came out of it, and how it is shown."""
