"""The Python peer of tasks that use the processor, with two workers of ProcessPoolExecutor."""

import pool
import tasks

if __name__ == "__main__":
    tasks.run(pool.Executor, workers=2, task=tasks.busy)
