from __future__ import annotations

from django.apps import AppConfig


class ExportersConfig(AppConfig):
    name = "opsconsole_exporters.django"
    label = "opsconsole_exporters"
    verbose_name = "OpsConsole exporters"

    def ready(self) -> None:
        # Late: metrics must not be made before settings are complete.
        from opsconsole_exporters.django.installation import install_django

        install_django()
