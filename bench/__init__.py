"""Measurements that are too long for the test suite: cost, profile, growth, durability, limits, onsale, live, partner.

Each writes a report of its figures (report, plots), of which page makes docs/benchmarks.md. What they measure is served
and apps (beside it unsafe), what they measure with is wrk.
"""
