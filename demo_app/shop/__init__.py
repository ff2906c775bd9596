"""The shop: what it sells, how it is bought, and the work it leaves to the queues."""
