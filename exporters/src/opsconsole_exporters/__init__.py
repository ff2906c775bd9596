"""What a watched Django and Celery service installs: metrics, traces and logs, with one call.

``instrument()`` is the whole programming interface; the Django app ``opsconsole_exporters.django`` calls it
for a Django service.  Nothing here imports the console.
"""

__version__ = "0.1.0"
