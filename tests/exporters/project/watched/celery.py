import logging
import os

from celery import Celery
from kombu import Queue
from opsconsole_exporters import instrument

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "watched.settings")

app = Celery("watched", broker=os.environ["BROKER_URL"])
app.conf.task_queues = [Queue("fast"), Queue("slow")]
app.conf.task_default_queue = "fast"
app.conf.broker_transport_options = {"queue_order_strategy": "priority"}
app.conf.broker_connection_retry_on_startup = True
if "BEAT_EVERY_S" in os.environ:
    every = float(os.environ["BEAT_EVERY_S"])
    app.conf.beat_schedule = {"adding": {"task": "watched.tasks.add", "schedule": every, "args": (1, 2)}}
for chatty in ("celery.app.trace", "celery.worker.strategy"):  # two lines a task
    logging.getLogger(chatty).setLevel(logging.WARNING)
app.autodiscover_tasks(["watched"])

instrument(celery_app=app)
