import os
import signal
import time
from functools import cache

import redis
import structlog
from celery import shared_task
from celery.exceptions import Ignore, Reject


@cache
def _account():
    """Made by the task that wants it: the broker of other tests is no Redis."""
    return redis.Redis.from_url(os.environ["BROKER_URL"])


def _began(task):
    """The task's own account of its runs, for comparison; and of those whose message a worker had before."""
    with _account().pipeline() as pipeline:
        pipeline.hincrby("runs", task.name)
        if task.request.delivery_info["redelivered"]:
            pipeline.hincrby("redelivered", task.name)
        pipeline.execute()


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task
def add(left, right):
    structlog.get_logger("watched").info("added", total=left + right)
    return left + right


@shared_task(bind=True, ignore_result=True)
def note(self):
    _began(self)


@shared_task(bind=True)
def fail(self):
    _began(self)
    raise ValueError("on purpose")


@shared_task(bind=True, max_retries=1)
def retry_once(self):
    _began(self)
    if self.request.retries == 0:
        raise self.retry(countdown=0)


@shared_task(bind=True)
def reject(self):
    _began(self)
    raise Reject("not wanted", requeue=False)


@shared_task(bind=True)
def ignore(self):
    _began(self)
    raise Ignore


@shared_task(bind=True)
def die(self):
    _began(self)
    _die()


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True)
def die_once(self):
    """Takes its process along; its message was not acknowledged yet, and comes back."""
    _began(self)
    if not self.request.delivery_info["redelivered"]:
        _die()


@shared_task(bind=True, acks_late=True)
def linger_once(self, seconds):
    """Is still at it when its worker is killed, and done at once in the next."""
    _began(self)
    if not self.request.delivery_info["redelivered"]:
        time.sleep(seconds)


@shared_task
def rest(seconds):
    time.sleep(seconds)
