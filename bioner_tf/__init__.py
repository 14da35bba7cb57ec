"""bioner_tf: multi-task biomedical named-entity taggers on TensorFlow."""

__version__ = "0.1.0"
