"""A model as the build context of an image that serves it."""
