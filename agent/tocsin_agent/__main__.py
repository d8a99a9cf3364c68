"""`python -m tocsin_agent`."""

import sys

from tocsin_agent.cli import main

sys.exit(main())
