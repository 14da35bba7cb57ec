"""Many runs: sweeps, reports, the paper's tables, the choice of partners.

Uses everything below it; imported by ``cli`` alone.
"""
