"""Many trainings: plans them, estimates their time, runs them here or on a Ray cluster."""
