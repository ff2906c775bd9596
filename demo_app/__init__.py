"""A small shop: what a production-grade Django and Celery service looks like, with faults that can be switched on."""
