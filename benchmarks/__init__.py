"""Measures the SDK, the ETL servers and `aistore.local` side by side with other ways to do the same work.

    python -m benchmarks [group...] [--quick] [--json FILE] [--report FILE] [--chart FILE]

Every contender is a process of its own, in an environment of its own; they take turns, so that what disturbs
the machine disturbs all of them. `rows.py` has the work and the goals, `worker/` what a contender runs,
`origins.py` and `nginx.py` the servers that the work is done against.
"""
