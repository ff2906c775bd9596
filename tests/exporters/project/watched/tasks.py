import os
import signal
import time
from functools import cache

import redis
import structlog
from celery import shared_task
from celery.exceptions import Ignore, Reject


@cache
def _notes():
    """Made by the task that wants it: the broker of other tests is no Redis."""
    return redis.Redis.from_url(os.environ["BROKER_URL"])


@shared_task
def add(left, right):
    structlog.get_logger("watched").info("added", total=left + right)
    return left + right


@shared_task(ignore_result=True)
def note():
    """Keeps a count of its own, for comparison."""
    _notes().incr("noted")


@shared_task
def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task
def fail():
    raise ValueError("on purpose")


@shared_task(bind=True, max_retries=1)
def retry_once(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@shared_task
def reject():
    raise Reject("not wanted", requeue=False)


@shared_task
def ignore():
    raise Ignore


@shared_task
def die():
    os._exit(9)


@shared_task
def rest(seconds):
    time.sleep(seconds)
