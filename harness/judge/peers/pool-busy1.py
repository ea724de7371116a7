"""The Python peer of tasks that use the processor, with one worker of ProcessPoolExecutor."""

import pool
import tasks

if __name__ == "__main__":
    tasks.run(pool.Executor, workers=1, task=tasks.busy)
