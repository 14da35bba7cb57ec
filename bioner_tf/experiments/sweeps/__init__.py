"""Plans many trainings, estimates their time, runs them here or on a Ray cluster."""
