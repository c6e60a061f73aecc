"""Runs the command."""

import sys

from orchestrator.testing.fake_vllm.command import main

sys.exit(main())
