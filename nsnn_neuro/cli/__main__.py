"""`python -m nsnn_neuro.cli`, the same as `nsnn`."""

import sys

from .main import main

sys.exit(main())
