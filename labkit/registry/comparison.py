"""Whether a candidate is worse than the champion beyond noise, on the same test rows.

Of classes, by the exact McNemar test; of numbers, by a paired permutation of the squared errors.
"""

from typing import NamedTuple

from labkit.report.paired import NOISE, differences, mcnemar
from labkit.report.predictions import ACCURACY, RMSE, Predictions, read_paired


class Comparison(NamedTuple):
    """The comparison in words, and whether the candidate is worse beyond noise."""

    told: str
    worse: bool

    def __str__(self) -> str:
        """The words, for tags and people."""
        return self.told


def compare(candidate: Predictions, champion: Predictions) -> Comparison:
    """Compare the predictions of the same rows. Raises InputError as `read_paired`."""
    paired = read_paired(champion, candidate)
    if ACCURACY not in paired.costs:
        found = next(one for one in differences(paired) if one.metric == RMSE)
        told = (
            f"on {paired.rows} test rows the candidate's rmse is {found.other:.4g}, the champion's {found.one:.4g} "
            f"(difference {found.low:+.3g} to {found.high:+.3g}); p = {found.p:.3g} ({found.test})"
        )
        return Comparison(told, not found.is_better and found.p < NOISE)
    only_champion, only_candidate, p = mcnemar(paired)
    told = (
        f"of {paired.rows} test rows {only_candidate} right by the candidate alone, {only_champion} by the champion "
        f"alone; p = {p:.3g} (exact McNemar)"
    )
    return Comparison(told, only_champion > only_candidate and p < NOISE)
