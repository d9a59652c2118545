"""Ratios of times measured in turn."""

from __future__ import annotations

from statistics import median


def ratios(times: list[float], others: list[float]) -> list[float]:
    """Ratio of each round in which both were measured."""
    return [ours / other for ours, other in zip(times, others, strict=False)]


def median_and_range(values: list[float]) -> str:
    """Such as "0.45 (0.40-0.52)"."""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
