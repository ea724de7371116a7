"""A pool of two processes: concurrent.futures.ProcessPoolExecutor."""

import executor
import tasks

executor.run(2, tasks.numbered)
