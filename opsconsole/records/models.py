"""What the console must not forget, apart from telemetry: who may enter, what is wrong, and whom it told.

Only rows and their constraints; what they mean is decided in ``alerting``, ``notify`` and ``operations``.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Incident(models.Model):
    """One alert instance from firing to resolved."""

    alert = models.CharField(max_length=200)
    labels = models.JSONField()
    fingerprint = models.CharField(max_length=16)
    """Of the labels, 16 hexadecimal digits."""
    severity = models.CharField(max_length=20)
    summary = models.TextField()
    description = models.TextField()
    value = models.FloatField(null=True)
    """Of the last evaluation that was true; null is NaN, which SQLite cannot hold."""
    started_at = models.DateTimeField()
    """Since when the condition was true; it fired after the hold time."""
    fired_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["fingerprint"], condition=models.Q(resolved_at=None), name="one_open_incident_per_label_set"
            ),
        )
        indexes = (models.Index(fields=["alert", "fired_at"]), models.Index(fields=["fired_at"]))

    def __str__(self) -> str:
        return self.summary

    @property
    def firing(self) -> bool:
        return self.resolved_at is None


class AlertState(models.Model):
    """A pending or firing instance as the evaluator holds it, so that a restart changes nothing."""

    class State(models.TextChoices):
        PENDING = "pending"
        FIRING = "firing"

    alert = models.CharField(max_length=200)
    labels = models.JSONField()
    fingerprint = models.CharField(max_length=16, unique=True)
    state = models.CharField(max_length=10, choices=State)
    active_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    keep_since = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    summary = models.TextField()
    description = models.TextField()
    incident = models.ForeignKey(Incident, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"{self.summary} ({self.state})"


class Transition(models.Model):
    """A fact: an incident went from one state to another.  Messages are about facts."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=10)
    after = models.CharField(max_length=10)
    at = models.DateTimeField()
    reason = models.CharField(max_length=100)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.before} to {self.after}: {self.reason}"


class Delivery(models.Model):
    """A row of the outbox: one transition to be told over one channel."""

    class State(models.TextChoices):
        WAITING = "waiting"
        LEASED = "leased"  # somebody is sending it; until ``leased_until``, then anybody may again
        DONE = "done"
        DEAD = "dead"  # given up; a person may send it again

    transition = models.ForeignKey(Transition, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=50)
    group = models.CharField(max_length=200)
    """The alert: rows of one group travel in one message."""
    dedup_key = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField()
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["channel", "state", "next_at"]),)

    def __str__(self) -> str:
        return f"{self.dedup_key} ({self.state})"


class ApiToken(models.Model):
    """A machine's way in.  The clear text is shown once and never stored."""

    class Scope(models.TextChoices):
        INGEST = "ingest"  # push telemetry
        READ = "read"  # query
        ADMIN = "admin"  # both, and what only people do otherwise

    name = models.CharField(max_length=100, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=10, choices=Scope)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.scope})"


class SignInLink(models.Model):
    """A person's way in without a password, once.  Only the hash of its token is stored."""

    sha256 = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"link of {self.user_id}, until {self.expires_at:%Y-%m-%d %H:%M}"
