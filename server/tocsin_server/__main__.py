"""`python -m tocsin_server` is `tocsin-server`."""

import sys

from tocsin_server.cli import main

sys.exit(main())
