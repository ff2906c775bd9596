"""What a worker process is doing: CPU, memory, files, threads, garbage, its event loop, and which release it runs.

Each worker samples itself once a second into its own metrics, because whoever answers a scrape of several processes
knows nothing of the others.
"""
