"""One module per verb, thin: options in, a call, words out."""

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of every verb, for which it keeps what it is first asked for help by, be it without the group."""
