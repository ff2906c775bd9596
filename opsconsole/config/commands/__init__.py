"""The subcommands of ``opsconsole``: each registers its arguments and runs."""
