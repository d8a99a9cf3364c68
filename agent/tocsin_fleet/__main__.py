"""`python -m tocsin_fleet`."""

import sys

from tocsin_fleet.cli import main

if __name__ == "__main__":
    sys.exit(main())
