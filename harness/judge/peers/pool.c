//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * A pool of two processes. Both take tasks from one socket that keeps boundaries
 * (SOCK_SEQPACKET), and each answers on a pipe of its own. A task is its number. An answer is the
 * message of that number: the first process knows its size. At most 128 tasks are under way.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mman.h>

#include "operation.h"

enum { WORKERS = 2, UNDER_WAY = 128 };

static size_t size;
static int tasks;
static struct pollfd answers[WORKERS];

static void work(int in, int out)
{
	unsigned char *message = new_message(size);
	uint64_t number;

	while (recv(in, &number, sizeof number, 0) == sizeof number) {
		set_number(message, size, number);
		for (size_t n = 0; n < size;) {
			ssize_t some = write(out, message + n, size - n);

			if (some < 0)
				err(1, "write");
			n += (size_t)some;
		}
	}
	_exit(0);
}

static void make_pool(void)
{
	int pair[2], ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		err(1, "socketpair");
	for (int i = 0; i < WORKERS; i++) {
		if (pipe(ends) != 0)
			err(1, "pipe");
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(pair[0]);
			work(pair[1], ends[1]);
		}
		close(ends[1]);
		answers[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	}
	close(pair[1]);
	tasks = pair[0];
}

static void read_all(int fd, unsigned char *to, size_t n)
{
	while (n > 0) {
		ssize_t some = read(fd, to, n);

		if (some < 0)
			err(1, "read");
		if (some == 0)
			errx(1, "a worker has ended");
		to += some;
		n -= (size_t)some;
	}
}

/* Hands all tasks over, and takes all results. */
static void all(uint64_t count, unsigned char *got, unsigned char *want, unsigned char *seen)
{
	uint64_t sent = 0, done = 0, number;

	memset(seen, 0, count);
	while (done < count) {
		for (; sent < count && sent - done < UNDER_WAY; sent++)
			if (send(tasks, &sent, sizeof sent, MSG_NOSIGNAL) != sizeof sent)
				err(1, "send");
		if (poll(answers, WORKERS, -1) < 0)
			err(1, "poll");
		for (int i = 0; i < WORKERS; i++) {
			if (answers[i].revents == 0)
				continue;
			read_all(answers[i].fd, got, size);
			number = 0;
			for (int j = 0; j < 8; j++)
				number = number << 8 | got[j];
			set_number(want, size, number);
			if (number >= count || seen[number]++ || memcmp(got, want, size) != 0)
				errx(1, "task %" PRIu64 ": another result", number);
			done++;
		}
	}
}

int main(int argc, char **argv)
{
	unsigned char *got, *want, *seen;
	double begin, started, go;
	uint64_t count;

	if (argc != 4 || strcmp(argv[1], "tasks") != 0) {
		fprintf(stderr, "usage: %s tasks SIZE COUNT\n", program_invocation_short_name);
		exit(2);
	}
	size = number(argv[2], INT32_MAX);
	count = number(argv[3], INT32_MAX);
	if (size < 8) {
		fprintf(stderr, "usage: %s tasks SIZE COUNT, and SIZE is at least 8\n", program_invocation_short_name);
		exit(2);
	}
	got = new_message(size);
	want = new_message(size);
	if ((seen = malloc(count)) == NULL)
		err(1, "malloc");
	begin = now();
	make_pool();
	started = now() - begin;
	all(count, got, want, seen); /* warms up */
	go = now();
	all(count, got, want, seen);
	go = now() - go;
	close(tasks);
	for (int i = 0; i < WORKERS; i++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			errx(1, "a worker has not ended well");
	}
	print_line(count, go, started + go);
	return 0;
}
