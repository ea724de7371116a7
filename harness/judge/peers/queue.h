/*
 * What the C peers of the message queues share. A queue has no end of file: an
 * empty message stands for it here, since no other one is empty. And nobody is
 * told that the other process is gone: the first process is, by SIGCHLD.
 */
#ifndef QUEUE_H
#define QUEUE_H

/* The size of the messages, which the queues are made for. */
static inline size_t queue_message_size(int argc, char **argv)
{
	return argc == 4 ? strtoul(argv[2], NULL, 10) : 1;
}

/* Removes what would stay, also when a child has ended badly. */
static void (*queue_remove)(void);

static void queue_child_has_ended(int signal)
{
	siginfo_t child;

	(void)signal;
	child.si_pid = 0;
	if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid == 0)
		return;
	if (child.si_code == CLD_EXITED && child.si_status == 0)
		return;
	if (child.si_code == CLD_EXITED)
		dprintf(2, "the second process ended with status %d\n", child.si_status);
	else
		dprintf(2, "signal %d ended the second process\n", child.si_status);
	if (queue_remove != NULL)
		queue_remove();
	_exit(1);
}

/* In the first process, once the second one is ready. */
static void queue_watch_the_second(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = queue_child_has_ended;
	action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
	if (sigaction(SIGCHLD, &action, NULL) != 0)
		err(1, "sigaction");
	queue_child_has_ended(SIGCHLD); /* it may have been quick */
}

#endif
