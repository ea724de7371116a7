/*
 * What all C peers share: the command line, the clock, the messages, the two
 * processes. doc.go tells what a peer does. A peer is one C file:
 *
 *     cc -O2 -o pipe pipe.c
 *
 * It has a struct mechanism that says how the two processes are connected, and a
 * main that calls run_peer.
 *
 * The first process is the one that was started from the command line. It
 * receives, checks and measures. The second process is its child.
 */
#ifndef PEER_H
#define PEER_H

#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_OF_FILE (-1)

/*
 * What a mechanism does. "Both ways" is for ping-pong: messages go from the
 * first process to the second, too. Every function ends the process with a
 * sentence if something goes wrong.
 */
struct mechanism {
	/* In the first process, before the second one is started. */
	void (*make)(int both_ways);
	/* In the second process, when it starts. */
	void (*open_second)(int both_ways);
	/* In the first process, when open_second has been called in the second. */
	void (*open_first)(int both_ways);

	void (*send)(const unsigned char *message, size_t size);
	/* Returns the size of the message, or END_OF_FILE. */
	ssize_t (*receive)(unsigned char *message, size_t max);
	/* Nothing more will be sent. The other process comes to the end of file. */
	void (*finish)(void);
	/*
	 * In the second process, when a transfer's last message was sent. The time
	 * counts until this is done. NULL if there is nothing to do.
	 */
	void (*settle)(void);
};

struct benchmark {
	int pingpong; /* else transfer */
	size_t size;  /* bytes of a message */
	uint64_t count;
};

/* The messages. */

/* Makes a message in which only the number is missing. */
static unsigned char *new_message(size_t size)
{
	unsigned char *message = malloc(size);

	if (message == NULL)
		err(1, "malloc of a message of %zu bytes", size);
	for (size_t j = 0; j < size; j++)
		message[j] = (unsigned char)(j % 251);
	return message;
}

static void set_number(unsigned char *message, size_t size, uint64_t number)
{
	if (size < 8) {
		memset(message, (int)(number % 256), size);
		return;
	}
	for (int j = 0; j < 8; j++)
		message[j] = (unsigned char)(number >> (56 - 8 * j));
}

/* Says what is wrong with the message that was received. */
static void wrong_message(const unsigned char *got, ssize_t got_size,
			  const unsigned char *want, size_t size, uint64_t number)
{
	size_t j = 0;

	if (got_size == END_OF_FILE)
		errx(1, "message %" PRIu64 ": end of file instead", number);
	if ((size_t)got_size != size)
		errx(1, "message %" PRIu64 ": received %zd bytes instead of %zu",
		     number, got_size, size);
	while (got[j] == want[j])
		j++;
	errx(1, "message %" PRIu64 ": byte %zu is %d instead of %d",
	     number, j, got[j], want[j]);
}

/* Receives one message and checks all of it. */
static void receive_and_check(const struct mechanism *m, unsigned char *message,
			      unsigned char *want, size_t size, uint64_t number)
{
	ssize_t n = m->receive(message, size);

	set_number(want, size, number);
	if (n != (ssize_t)size || memcmp(message, want, size) != 0)
		wrong_message(message, n, want, size, number);
}

/* The second process. */

static void produce(const struct mechanism *m, const struct benchmark *b)
{
	unsigned char *message = new_message(b->size);

	for (uint64_t i = 0; i < b->count; i++) {
		set_number(message, b->size, i);
		m->send(message, b->size);
	}
	free(message);
}

static void send_back(const struct mechanism *m, const struct benchmark *b)
{
	unsigned char *message = new_message(b->size);
	ssize_t n;

	while ((n = m->receive(message, b->size)) != END_OF_FILE)
		m->send(message, (size_t)n);
	free(message);
}

/*
 * The two processes talk over a socket pair about what is not measured: "I am
 * ready" and "go". A byte is enough. The end of the other process is the end of
 * file here.
 */
static void say(int control)
{
	if (send(control, "", 1, MSG_NOSIGNAL) != 1)
		err(1, "send to the other process");
}

static void hear(int control, const char *what)
{
	char byte;
	ssize_t n = recv(control, &byte, 1, 0);

	if (n < 0)
		err(1, "recv from the other process");
	if (n == 0)
		errx(1, "the other process ended before it said \"%s\"", what);
}

/* Where the second process runs, if somebody says so: see doc.go. */
static void take_core(void)
{
	const char *core = getenv("IPC_CORE");
	cpu_set_t one;

	if (core == NULL || core[0] == '\0')
		return;
	CPU_ZERO(&one);
	CPU_SET(atoi(core), &one);
	if (sched_setaffinity(0, sizeof one, &one) != 0)
		err(1, "sched_setaffinity to core %s", core);
}

static void second_process(const struct mechanism *m, const struct benchmark *b,
			   int control, pid_t first)
{
	/* The second process ends when the first one does, even by SIGKILL. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		err(1, "prctl");
	if (getppid() != first)
		errx(1, "the first process has ended already");
	take_core();
	m->open_second(b->pingpong);
	say(control); /* ready */
	if (b->pingpong) {
		hear(control, "go");
		send_back(m, b);
	} else {
		for (int turn = 0; turn < 2; turn++) {
			hear(control, "go");
			produce(m, b);
			if (m->settle != NULL) {
				m->settle();
				say(control); /* settled */
			}
		}
	}
	m->finish();
}

/* The first process. */

static double now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		err(1, "clock_gettime");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_line(uint64_t count, double seconds, double whole)
{
	printf("{\"messages\":%" PRIu64 ",\"seconds\":%.9f,\"whole\":%.9f}\n",
	       count, seconds, whole);
	if (fflush(stdout) != 0)
		err(1, "write to the standard output");
}

static void expect_end(const struct mechanism *m, unsigned char *message,
		       size_t size, pid_t second)
{
	int status;
	ssize_t n = m->receive(message, size);

	if (n != END_OF_FILE)
		errx(1, "received %zd bytes more after the last message", n);
	if (waitpid(second, &status, 0) != second)
		err(1, "waitpid");
	if (WIFSIGNALED(status))
		errx(1, "signal %d ended the second process", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		errx(1, "the second process ended with status %d", WEXITSTATUS(status));
}

/* All messages once. Returns how long that took. */
static double turn(const struct mechanism *m, const struct benchmark *b, int control,
		   unsigned char *message, unsigned char *want, unsigned char *out)
{
	double go = now();

	if (!b->pingpong)
		say(control); /* go */
	for (uint64_t i = 0; i < b->count; i++) {
		if (b->pingpong) {
			set_number(out, b->size, i);
			m->send(out, b->size);
		}
		receive_and_check(m, message, want, b->size, i);
	}
	if (!b->pingpong && m->settle != NULL)
		hear(control, "settled");
	return now() - go;
}

static void first_process(const struct mechanism *m, const struct benchmark *b)
{
	unsigned char *message = new_message(b->size);
	unsigned char *want = new_message(b->size);
	unsigned char *out = new_message(b->size);
	int control[2];
	pid_t first = getpid(), second;
	double begin, started, seconds;

	begin = now();
	m->make(b->pingpong);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0)
		err(1, "socketpair");
	second = fork();
	if (second < 0)
		err(1, "fork");
	if (second == 0) {
		close(control[0]);
		second_process(m, b, control[1], first);
		exit(0);
	}
	close(control[1]);
	hear(control[0], "ready");
	m->open_first(b->pingpong);
	started = now() - begin;
	if (b->pingpong)
		say(control[0]); /* go, once */

	turn(m, b, control[0], message, want, out); /* warms up */
	seconds = turn(m, b, control[0], message, want, out);

	if (b->pingpong)
		m->finish();
	expect_end(m, message, b->size, second);
	free(message);
	free(want);
	free(out);
	print_line(b->count, seconds, started + seconds);
}

/* The command line. */

static void usage(void)
{
	fprintf(stderr, "usage: %s transfer|pingpong SIZE COUNT\n",
		program_invocation_short_name);
	exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *rest;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &rest, 10);
	if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || n < 1 || n > max)
		usage();
	return n;
}

static inline int run_peer(int argc, char **argv, const struct mechanism *m)
{
	struct benchmark b;

	if (argc != 4)
		usage();
	b.pingpong = strcmp(argv[1], "pingpong") == 0;
	if (!b.pingpong && strcmp(argv[1], "transfer") != 0)
		usage();
	b.size = number(argv[2], INT32_MAX);
	b.count = number(argv[3], INT64_MAX);
	/* A write to a process that has ended shall return EPIPE. */
	signal(SIGPIPE, SIG_IGN);
	first_process(m, &b);
	return 0;
}

#endif
