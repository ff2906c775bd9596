"""``python -m opsconsole`` is the ``opsconsole`` command."""

from opsconsole.config.cli import main

main()
