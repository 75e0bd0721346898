"""One module per verb, thin: options in, a call, words out."""
