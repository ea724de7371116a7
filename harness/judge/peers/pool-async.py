"""The other Python peer of the process pool: multiprocessing.Pool."""

import tasks


class Pool:
    def __init__(self, workers, initializer, args, context):
        self.pool = context.Pool(workers, initializer, args)

    def submit(self, task, *args):
        return self.pool.apply_async(task, args).get

    def close(self):
        self.pool.close()
        self.pool.join()


if __name__ == "__main__":
    tasks.run(Pool)
