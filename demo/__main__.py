"""Lets `python -m demo` be the command line. Knows nothing else."""

import sys

from demo.cli import main

sys.exit(main())
