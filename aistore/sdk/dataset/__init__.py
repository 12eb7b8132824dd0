"""Datasets: packing samples into shards, and naming shards to read."""
