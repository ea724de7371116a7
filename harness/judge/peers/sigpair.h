/*
 * What the C peers of signals share: two processes that signal each other. A message is one
 * signal, and another one is the end. The second process says hello first, so that
 * the first one learns its pid: a signal carries its sender's.
 */
#ifndef SIGPAIR_H
#define SIGPAIR_H

static sigset_t pair_set;
static int pair_message, pair_end;
static pid_t pair_other;

/* In main: which signals they are. */
static void pair_signals(int message, int end)
{
	pair_message = message;
	pair_end = end;
	sigemptyset(&pair_set);
	sigaddset(&pair_set, message);
	sigaddset(&pair_set, end);
}

/* Blocked signals wait until somebody takes them. The second process inherits that. */
static void pair_make(int both_ways)
{
	if (!both_ways)
		errx(1, "signals are measured as a ping-pong only");
	if (sigprocmask(SIG_BLOCK, &pair_set, NULL) != 0)
		err(1, "sigprocmask");
}

static void pair_open_second(int both_ways)
{
	(void)both_ways;
	pair_other = getppid();
	if (kill(pair_other, pair_message) != 0)
		err(1, "kill");
}

static void pair_open_first(int both_ways)
{
	siginfo_t hello;
	int n;

	(void)both_ways;
	do
		n = sigwaitinfo(&pair_set, &hello);
	while (n < 0 && errno == EINTR);
	if (n != pair_message)
		errx(1, "signal %d in the place of the other process's hello", n);
	pair_other = hello.si_pid;
	queue_watch_the_second();
}

#endif
