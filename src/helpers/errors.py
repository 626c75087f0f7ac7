"""The one exception that a reader of this book is meant to see."""


class BookError(ValueError):
    """Bad input, said in one sentence that names the place and the fix."""
