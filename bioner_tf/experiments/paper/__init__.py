"""The paper's experiments: its tables, and what its text says about them."""
