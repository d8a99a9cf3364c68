"""`python -m tocsin_tui` is `tocsin`."""

import sys

from tocsin_tui.cli import main

sys.exit(main())
