"""Dead letters: records whose processing was given up, and the stores of these records."""
