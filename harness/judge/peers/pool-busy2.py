"""A pool of two processes that compute: concurrent.futures.ProcessPoolExecutor."""

import executor
import tasks

executor.run(2, tasks.busy)
