/*
 * What the C peers of the process pool share: a pool of worker processes, and what the first
 * process does with it.
 *
 * There are two ways to hand tasks over. In one, all workers take them from one SOCK_SEQPACKET
 * socket: the kernel gives each task to one who is free, the oldest first. In the other, each worker
 * has its tasks from its own stream, and gets the next one when its result has come. Results always
 * come on the worker's own stream. The first process hands tasks over and reads results, whichever
 * can be done.
 */
#ifndef POOL_H
#define POOL_H

#include "peer.h"

#include <poll.h>

enum { MOST_WORKERS = 64, BUFFER = 64 << 10 };

struct header {
	uint64_t number;
	uint64_t size;
};

struct worker {
	pid_t pid;
	int stream;
	int busy;    /* where each has a task of its own */
	size_t have; /* bytes in the buffer */
	unsigned char *buffer;
};

static struct worker workers[MOST_WORKERS];
static int worker_count, queue = -1;
static size_t result_size;
/* Makes a result: a message in which the number is missing. */
static void (*task)(unsigned char *result, size_t size, uint64_t number);

/* Of the tasks: so many, so many handed over, and the results by number. */
static uint64_t task_count, handed;
static unsigned char **results;

/* What a worker does. */

static void write_all(int fd, const unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			err(1, "send of a result");
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
}

static void worker_process(int tasks, int stream)
{
	unsigned char *answer = malloc(sizeof(struct header) + result_size), *message = new_message(result_size);
	struct header header = { .size = result_size };
	ssize_t n;

	if (answer == NULL)
		err(1, "malloc of a result");
	write_all(stream, (const unsigned char *)"", 1); /* ready */
	while ((n = recv(tasks, &header.number, sizeof header.number, MSG_WAITALL)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof header.number)
			err(1, "recv of a task");
		task(message, result_size, header.number);
		memcpy(answer, &header, sizeof header);
		memcpy(answer + sizeof header, message, result_size);
		write_all(stream, answer, sizeof header + result_size);
	}
	exit(0);
}

/* The pool. */

static void start(int number, int tasks)
{
	struct worker *w = &workers[number];
	pid_t first = getpid();
	int stream[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, stream) != 0)
		err(1, "socketpair");
	w->pid = fork();
	if (w->pid < 0)
		err(1, "fork");
	if (w->pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
			err(1, "prctl");
		if (getppid() != first)
			errx(1, "the first process has ended already");
		if (number == 0)
			take_core();
		for (int i = 0; i < number; i++)
			close(workers[i].stream);
		if (queue >= 0)
			close(queue);
		close(stream[0]);
		worker_process(tasks >= 0 ? tasks : stream[1], stream[1]);
	}
	close(stream[1]);
	w->stream = stream[0];
	w->buffer = malloc(BUFFER);
	if (w->buffer == NULL)
		err(1, "malloc");
}

static void open_pool(int count, int one_queue)
{
	int tasks[2] = { -1, -1 };

	if (one_queue && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, tasks) != 0)
		err(1, "socketpair");
	queue = tasks[0];
	worker_count = count;
	for (int i = 0; i < count; i++)
		start(i, tasks[1]);
	if (one_queue)
		close(tasks[1]);
	for (int i = 0; i < count; i++)
		hear(workers[i].stream, "ready");
}

static void receive(struct worker *w, void *into, size_t size, int flags, ssize_t *n)
{
	do
		*n = recv(w->stream, into, size, flags);
	while (*n < 0 && errno == EINTR);
	if (*n < 0)
		err(1, "recv of a result");
	if (*n == 0)
		errx(1, "worker %d has ended", w->pid);
}

/* Reads what a worker has written: one result or many. */
static void read_results(struct worker *w)
{
	size_t at = 0;
	ssize_t n;

	receive(w, w->buffer + w->have, BUFFER - w->have, 0, &n);
	w->have += (size_t)n;
	while (w->have - at >= sizeof(struct header)) {
		struct header header;
		unsigned char *result;
		size_t here = w->have - at - sizeof header;

		memcpy(&header, w->buffer + at, sizeof header);
		if (header.size > here && header.size + sizeof header <= BUFFER)
			break; /* the rest comes with the next read */
		result = malloc(header.size);
		if (result == NULL)
			err(1, "malloc of a result");
		if (header.number >= task_count || results[header.number] != NULL)
			errx(1, "a result of task %" PRIu64 ", for which nobody waits", header.number);
		if (here > header.size)
			here = header.size;
		memcpy(result, w->buffer + at + sizeof header, here);
		at += sizeof header + here;
		while (here < header.size) {
			receive(w, result + here, header.size - here, MSG_WAITALL, &n);
			here += (size_t)n;
		}
		results[header.number] = result;
		w->busy = 0;
	}
	w->have -= at;
	memmove(w->buffer, w->buffer + at, w->have);
}

/* Hands a task over, if there is room. */
static int send_task(int fd)
{
	ssize_t n;

	do
		n = send(fd, &handed, sizeof handed, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		err(1, "send of a task");
	if (n > 0)
		handed++;
	return n > 0;
}

/* Hands tasks over as long as somebody takes them. */
static void hand_over(void)
{
	while (queue >= 0 && handed < task_count)
		if (!send_task(queue))
			return;
	for (int i = 0; i < worker_count && handed < task_count; i++)
		if (!workers[i].busy)
			workers[i].busy = send_task(workers[i].stream);
}

/* The result of a task. Waits for it. */
static unsigned char *take(uint64_t number)
{
	struct pollfd all[MOST_WORKERS + 1];
	unsigned char *result;

	while (results[number] == NULL) {
		for (int i = 0; i < worker_count; i++)
			all[i] = (struct pollfd){ .fd = workers[i].stream, .events = POLLIN };
		all[worker_count] = (struct pollfd){ .fd = handed < task_count ? queue : -1, .events = POLLOUT };
		if (poll(all, (nfds_t)worker_count + 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			err(1, "poll");
		}
		for (int i = 0; i < worker_count; i++)
			if (all[i].revents != 0)
				read_results(&workers[i]);
		hand_over();
	}
	result = results[number];
	results[number] = NULL;
	return result;
}

static void close_pool(void)
{
	if (queue >= 0 && shutdown(queue, SHUT_WR) != 0)
		err(1, "shutdown");
	for (int i = 0; i < worker_count; i++) {
		int status;

		if (shutdown(workers[i].stream, SHUT_WR) != 0)
			err(1, "shutdown");
		if (waitpid(workers[i].pid, &status, 0) != workers[i].pid)
			err(1, "waitpid");
		if (status != 0)
			errx(1, "worker %d ended with wait status %d", workers[i].pid, status);
	}
}

/* What the first process does. */

/* All tasks once. Returns how long that took. */
static double all_tasks(unsigned char *want)
{
	double go = now();

	handed = 0;
	hand_over();
	for (uint64_t i = 0; i < task_count; i++) {
		unsigned char *result = take(i);

		set_number(want, result_size, i);
		if (memcmp(result, want, result_size) != 0)
			wrong_message(result, (ssize_t)result_size, want, result_size, i);
		free(result);
	}
	return now() - go;
}

static void numbered(unsigned char *result, size_t size, uint64_t number) { set_number(result, size, number); }

static int run_pool(int argc, char **argv, int count, int one_queue,
		    void (*what)(unsigned char *result, size_t size, uint64_t number))
{
	double begin, started, seconds;
	unsigned char *want;

	if (argc != 4 || strcmp(argv[1], "tasks") != 0) {
		fprintf(stderr, "usage: %s tasks SIZE COUNT\n", program_invocation_short_name);
		exit(2);
	}
	result_size = number(argv[2], INT32_MAX);
	task_count = number(argv[3], INT32_MAX);
	task = what != NULL ? what : numbered;
	results = calloc(task_count, sizeof *results);
	if (results == NULL)
		err(1, "calloc");
	want = new_message(result_size);
	begin = now();
	open_pool(count, one_queue);
	started = now() - begin;
	all_tasks(want); /* warms up */
	seconds = all_tasks(want);
	close_pool();
	print_line(task_count, seconds, started + seconds);
	return 0;
}

#endif
