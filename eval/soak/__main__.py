"""Runs the command."""

import sys

from eval.soak.command import main

sys.exit(main())
