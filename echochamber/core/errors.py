"""The one error a user is meant to see."""


class UserError(ValueError):
    """Bad input from outside: a file, a row, a recipe, a folder.

    The message is one line that names the thing, what was found and what is allowed. The command
    line prints it without a traceback and exits with status 2. Broken invariants of our own are
    `assert`s, never this.
    """
