"""The paper's tables, and its statements about them."""
