//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the System V queue: msgsnd(2) and msgrcv(2), which wait in the
 * kernel. The kernel wants the type in front of the message, so each message is
 * copied into one piece with it, and out of it.
 */
#include "peer.h"
#include "queue.h"

#include <sys/msg.h>

struct piece {
	long type;
	unsigned char text[];
};

static size_t message_size;
static int to_first = -1, to_second = -1;
static int in = -1, out = -1;
static struct piece *sent, *received;
static pid_t maker;

static void remove_queues(void)
{
	if (getpid() != maker)
		return; /* the second process has inherited this */
	msgctl(to_first, IPC_RMID, NULL);
	if (to_second >= 0)
		msgctl(to_second, IPC_RMID, NULL);
}

/* Keys by which whoever has killed this process finds what it left. */
static int new_queue(int end)
{
	int queue = msgget(0x40000000 | getpid() << 1 | end, IPC_CREAT | IPC_EXCL | 0600);

	if (queue < 0)
		err(1, "msgget");
	return queue;
}

static struct piece *new_piece(void)
{
	struct piece *piece = malloc(sizeof *piece + message_size);

	if (piece == NULL)
		err(1, "malloc of a message of %zu bytes", message_size);
	return piece;
}

static void make(int both_ways)
{
	sent = new_piece();
	received = new_piece();
	maker = getpid();
	queue_remove = remove_queues;
	atexit(remove_queues);
	to_first = new_queue(0);
	if (both_ways)
		to_second = new_queue(1);
}

static void open_second(int both_ways)
{
	(void)both_ways;
	in = to_second;
	out = to_first;
}

static void open_first(int both_ways)
{
	(void)both_ways;
	in = to_first;
	out = to_second;
	queue_watch_the_second();
}

static void queue_send(const unsigned char *message, size_t size)
{
	if (size > message_size)
		errx(1, "a message has %zu bytes, the limit is %zu", size, message_size);
	sent->type = 1;
	memcpy(sent->text, message, size);
	while (msgsnd(out, sent, size, 0) != 0)
		if (errno != EINTR)
			err(1, "msgsnd");
}

static ssize_t queue_receive(unsigned char *message, size_t max)
{
	ssize_t n;

	while ((n = msgrcv(in, received, max, 0, 0)) < 0)
		if (errno != EINTR)
			err(1, "msgrcv");
	memcpy(message, received->text, (size_t)n);
	return n == 0 ? END_OF_FILE : n;
}

static void finish(void)
{
	queue_send((const unsigned char *)"", 0);
}

static const struct mechanism sysv_queue = {
	make, open_second, open_first, queue_send, queue_receive, finish, NULL,
};

int main(int argc, char **argv)
{
	message_size = queue_message_size(argc, argv);
	return run_peer(argc, argv, &sysv_queue);
}
