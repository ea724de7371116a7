/*
 * What a C peer needs for a crowd: two processes put, three take, and the first one
 * waits until all is done.
 *
 * Who puts sends every second message. Who takes has to get those of each in their
 * order, and tells at the end how often it had each.
 */
#ifndef CROWD_H
#define CROWD_H

#include "peer.h"

#include <sys/mman.h>

enum { PUTTERS = 2, TAKERS = 3, CROWD = PUTTERS + TAKERS };

struct crowd {
	/* In the first process, before the others are started. */
	void (*make)(void);
	/* In each process, before it does anything else. */
	void (*open)(void);
	void (*put)(const unsigned char *message, size_t size);
	/* Takes a message and marks it as done. Returns its size, or END_OF_FILE. */
	ssize_t (*take)(unsigned char *message, size_t max);
	/* Waits until all that was put is done. */
	void (*join)(void);
	/* Nothing more will be put. */
	void (*finish)(void);
};

/* How often each one who takes had each message. All processes share it. */
static unsigned char *crowd_times[TAKERS];

static void crowd_put(const struct crowd *c, const struct benchmark *b, int control, uint64_t first)
{
	unsigned char *message = new_message(b->size);

	for (int turn = 0; turn < 2; turn++) {
		hear(control, "go");
		for (uint64_t i = first; i < b->count; i += PUTTERS) {
			set_number(message, b->size, i);
			c->put(message, b->size);
		}
		say(control); /* put */
	}
}

static void crowd_take(const struct crowd *c, const struct benchmark *b, unsigned char *times)
{
	unsigned char *message = new_message(b->size), *want = new_message(b->size);
	uint64_t next[PUTTERS] = { 0 };
	int turns[PUTTERS] = { 0 };
	ssize_t n;

	while ((n = c->take(message, b->size)) != END_OF_FILE) {
		uint64_t i = 0;

		if ((size_t)n != b->size)
			errx(1, "received %zd bytes instead of %zu", n, b->size);
		for (int j = 0; j < 8; j++)
			i = i << 8 | message[j];
		set_number(want, b->size, i);
		if (i >= b->count || memcmp(message, want, b->size) != 0)
			errx(1, "received a message that nobody has put");
		if (i < next[i % PUTTERS] && ++turns[i % PUTTERS] == 2)
			errx(1, "message %" PRIu64 " came after message %" PRIu64 " of the same process",
			     i, next[i % PUTTERS] - 1);
		next[i % PUTTERS] = i + 1;
		times[i]++;
	}
}

/* One that ends badly ends the first process, too: it may have kept a lock, or a message. */
static void crowd_has_ended(int signal)
{
	siginfo_t child;

	(void)signal;
	for (;;) {
		child.si_pid = 0;
		if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG) != 0 || child.si_pid == 0)
			return;
		if (child.si_code == CLD_EXITED && child.si_status == 0)
			continue;
		dprintf(2, "a process of the crowd ended with status or signal %d\n", child.si_status);
		_exit(1);
	}
}

static int crowd_start(const struct crowd *c, const struct benchmark *b, int i)
{
	pid_t first = getpid(), pid;
	int control[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0)
		err(1, "socketpair");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid != 0) {
		close(control[1]);
		return control[0];
	}
	close(control[0]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		err(1, "prctl");
	if (getppid() != first)
		errx(1, "the first process has ended already");
	take_core();
	c->open();
	say(control[1]); /* ready */
	if (i < TAKERS)
		crowd_take(c, b, crowd_times[i]);
	else
		crowd_put(c, b, control[1], (uint64_t)(i - TAKERS));
	exit(0);
}

/* All messages once. Returns how long that took. */
static double crowd_turn(const struct crowd *c, const int *controls)
{
	double go = now();

	for (int i = TAKERS; i < CROWD; i++)
		say(controls[i]); /* go */
	for (int i = TAKERS; i < CROWD; i++)
		hear(controls[i], "put");
	c->join();
	return now() - go;
}

static void crowd_check(const struct benchmark *b, const int *controls)
{
	char byte;

	for (int i = 0; i < TAKERS; i++)
		if (recv(controls[i], &byte, 1, 0) != 0)
			errx(1, "one who takes has said something more");
	for (uint64_t i = 0; i < b->count; i++) {
		int times = 0;

		for (int j = 0; j < TAKERS; j++)
			times += crowd_times[j][i];
		if (times != 2)
			errx(1, "message %" PRIu64 " was put twice, and was taken %d times", i, times);
	}
}

static int run_crowd(int argc, char **argv, const struct crowd *c)
{
	struct benchmark b = { 0 };
	struct sigaction action;
	int controls[CROWD];
	double begin, started, seconds;

	if (argc != 4 || strcmp(argv[1], "crowd") != 0) {
		fprintf(stderr, "usage: %s crowd SIZE COUNT\n", program_invocation_short_name);
		exit(2);
	}
	b.size = number(argv[2], INT32_MAX);
	b.count = number(argv[3], INT64_MAX);
	if (b.size < 8)
		errx(2, "usage: a message of a crowd has its number in it: 8 bytes at least");
	begin = now();
	c->make();
	for (int i = 0; i < TAKERS; i++) {
		crowd_times[i] = mmap(NULL, b.count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (crowd_times[i] == MAP_FAILED)
			err(1, "mmap");
	}
	memset(&action, 0, sizeof action);
	action.sa_handler = crowd_has_ended;
	action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
	if (sigaction(SIGCHLD, &action, NULL) != 0)
		err(1, "sigaction");
	for (int i = 0; i < CROWD; i++)
		controls[i] = crowd_start(c, &b, i);
	c->open();
	for (int i = 0; i < CROWD; i++)
		hear(controls[i], "ready");
	started = now() - begin;

	crowd_turn(c, controls); /* warms up */
	seconds = crowd_turn(c, controls);
	c->finish();
	crowd_check(&b, controls);
	print_line(b.count, seconds, started + seconds);
	return 0;
}

#endif
