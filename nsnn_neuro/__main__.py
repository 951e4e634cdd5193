"""`python -m nsnn_neuro`, the same as the command `nsnn`: for shells that don't find the command."""

import sys

from .cli.main import main

sys.exit(main())
