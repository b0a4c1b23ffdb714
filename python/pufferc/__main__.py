"""`python -m pufferc` is the command line `pufferc`."""

import sys

from pufferc.cli import main

if __name__ == "__main__":
    sys.exit(main())
