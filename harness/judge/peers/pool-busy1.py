"""A pool of one process that computes: concurrent.futures.ProcessPoolExecutor."""

import executor
import tasks

executor.run(1, tasks.busy)
