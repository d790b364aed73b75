"""URLs as people may see them."""

import re


def without_credentials(text: str) -> str:
    """The text with user names and passwords taken out of its URLs."""
    return re.sub(r"//[^/@\s]*@", "//", text)
