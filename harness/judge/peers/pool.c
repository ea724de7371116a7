//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the process pool. All workers take tasks from one SOCK_SEQPACKET socket: the
 * kernel gives each task to one who is free, the oldest first. A worker writes its results to
 * a stream of its own. The first process hands tasks over as long as the socket has room, and
 * reads results in between, whichever can be done.
 */
#include "peer.h"

#include <poll.h>

enum { MOST_WORKERS = 64, BUFFER = 64 << 10, STEPS = 200000 };

/* A linear congruential generator, of 64 bits. */
static const uint64_t factor = 6364136223846793005u, addend = 1442695040888963407u;

struct header {
	uint64_t number;
	uint64_t size;
};

struct worker {
	pid_t pid;
	int stream;
	size_t have; /* bytes in the buffer */
	unsigned char *buffer;
};

static struct worker workers[MOST_WORKERS];
static int worker_count, queue, works;
static size_t result_size;

/* Of the tasks: so many, so many handed over, and the results by number. */
static uint64_t task_count, handed;
static unsigned char **results;

/* What a worker does. */

static uint64_t steps(uint64_t x)
{
	for (int i = 0; i < STEPS; i++)
		x = x * factor + addend;
	return x;
}

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
	size_t size = works ? sizeof(uint64_t) : result_size;
	unsigned char *answer = malloc(sizeof(struct header) + size), *message = new_message(size);
	struct header header = { .size = size };
	ssize_t n;

	if (answer == NULL)
		err(1, "malloc of a result");
	write_all(stream, (const unsigned char *)"", 1); /* ready */
	while ((n = recv(tasks, &header.number, sizeof header.number, 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof header.number)
			err(1, "recv of a task");
		if (works) {
			uint64_t x = steps(header.number);

			memcpy(message, &x, sizeof x);
		} else {
			set_number(message, size, header.number);
		}
		memcpy(answer, &header, sizeof header);
		memcpy(answer + sizeof header, message, size);
		write_all(stream, answer, sizeof header + size);
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
		close(queue);
		close(stream[0]);
		worker_process(tasks, stream[1]);
	}
	close(stream[1]);
	w->stream = stream[0];
	w->buffer = malloc(BUFFER);
	if (w->buffer == NULL)
		err(1, "malloc");
}

static void open_pool(int count)
{
	int tasks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, tasks) != 0)
		err(1, "socketpair");
	queue = tasks[0];
	worker_count = count;
	for (int i = 0; i < count; i++)
		start(i, tasks[1]);
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
	}
	w->have -= at;
	memmove(w->buffer, w->buffer + at, w->have);
}

/* Hands tasks over as long as there is room. */
static void hand_over(void)
{
	while (handed < task_count) {
		ssize_t n = send(queue, &handed, sizeof handed, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			err(1, "send of a task");
		if (n > 0)
			handed++;
	}
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
	if (shutdown(queue, SHUT_WR) != 0)
		err(1, "shutdown");
	for (int i = 0; i < worker_count; i++) {
		int status;

		if (waitpid(workers[i].pid, &status, 0) != workers[i].pid)
			err(1, "waitpid");
		if (status != 0)
			errx(1, "worker %d ended with wait status %d", workers[i].pid, status);
	}
}

/* What the first process does. */

/* The result of so many steps, from any x: x * *a + *b. */
static void all_steps(uint64_t *a, uint64_t *b)
{
	*a = 1;
	*b = 0;
	for (int i = 0; i < STEPS; i++) {
		*a *= factor;
		*b = *b * factor + addend;
	}
}

/* All tasks once. Returns how long that took. */
static double all_tasks(unsigned char *want, uint64_t a, uint64_t b)
{
	size_t size = works ? sizeof(uint64_t) : result_size;
	double go = now();

	handed = 0;
	hand_over();
	for (uint64_t i = 0; i < task_count; i++) {
		unsigned char *result = take(i);

		if (works) {
			uint64_t x = i * a + b;

			memcpy(want, &x, sizeof x);
		} else {
			set_number(want, size, i);
		}
		if (memcmp(result, want, size) != 0)
			wrong_message(result, (ssize_t)size, want, size, i);
		free(result);
	}
	return now() - go;
}

int main(int argc, char **argv)
{
	double begin, started, seconds;
	uint64_t size, a, b;
	unsigned char *want;

	if (argc != 4 || (strcmp(argv[1], "tasks") != 0 && strcmp(argv[1], "work") != 0)) {
		fprintf(stderr, "usage: %s tasks SIZE COUNT, or work WORKERS COUNT\n", program_invocation_short_name);
		exit(2);
	}
	works = strcmp(argv[1], "work") == 0;
	size = number(argv[2], works ? MOST_WORKERS : INT32_MAX);
	task_count = number(argv[3], INT32_MAX);
	result_size = works ? sizeof(uint64_t) : size;
	results = calloc(task_count, sizeof *results);
	want = new_message(result_size);
	if (results == NULL)
		err(1, "calloc");
	all_steps(&a, &b);
	begin = now();
	open_pool(works ? (int)size : 2);
	started = now() - begin;
	all_tasks(want, a, b); /* warms up */
	seconds = all_tasks(want, a, b);
	close_pool();
	print_line(task_count, seconds, started + seconds);
	return 0;
}
