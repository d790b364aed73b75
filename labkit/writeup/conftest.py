"""The lab of the site's tests: a champion, a worse model, a hostile branch, a runner's commit, and one that lies."""

from labkit.site.conftest import lab, made_lab

__all__ = ["lab", "made_lab"]
