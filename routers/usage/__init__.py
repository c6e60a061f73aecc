"""What can be learned from use: what drifts, which categories are missing, which experts are unwell.

Pure: no files, no clocks, no texts but the gated queries that proposals are made of.
"""
