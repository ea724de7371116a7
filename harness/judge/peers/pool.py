"""The Python peer of the process pool: concurrent.futures.ProcessPoolExecutor."""

import concurrent.futures

import tasks


class Executor:
    def __init__(self, workers, initializer, args, context):
        self.executor = concurrent.futures.ProcessPoolExecutor(workers, context, initializer, args)

    def submit(self, task, *args):
        return self.executor.submit(task, *args).result

    def close(self):
        self.executor.shutdown()


if __name__ == "__main__":
    tasks.run(Executor)
