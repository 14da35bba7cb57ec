"""What came out of runs: collects, groups, compares and lays them out as pages."""
