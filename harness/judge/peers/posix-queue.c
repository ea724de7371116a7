//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the POSIX queue: mq_send(3) and mq_receive(3), which wait in the
 * kernel. A queue has room for ten messages. It loses its name before the second
 * process is started, which inherits the descriptors: so nothing stays.
 */
#include "peer.h"
#include "queue.h"

#include <fcntl.h>
#include <mqueue.h>

static size_t message_size;
static mqd_t to_first = -1, to_second = -1;
static mqd_t in = -1, out = -1;

static mqd_t new_queue(const char *end)
{
	struct mq_attr attr;
	char name[64];
	mqd_t queue;

	memset(&attr, 0, sizeof attr);
	attr.mq_maxmsg = 10;
	attr.mq_msgsize = (long)message_size;
	snprintf(name, sizeof name, "/ipc-peer-%d-%s", (int)getpid(), end);
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue == (mqd_t)-1)
		err(1, "mq_open");
	if (mq_unlink(name) != 0)
		err(1, "mq_unlink");
	return queue;
}

static void make(int both_ways)
{
	to_first = new_queue("first");
	if (both_ways)
		to_second = new_queue("second");
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
	while (mq_send(out, (const char *)message, size, 0) != 0)
		if (errno != EINTR)
			err(1, "mq_send");
}

static ssize_t queue_receive(unsigned char *message, size_t max)
{
	ssize_t n;

	while ((n = mq_receive(in, (char *)message, max, NULL)) < 0)
		if (errno != EINTR)
			err(1, "mq_receive");
	return n == 0 ? END_OF_FILE : n;
}

static void finish(void)
{
	queue_send((const unsigned char *)"", 0);
}

static const struct mechanism posix_queue = {
	make, open_second, open_first, queue_send, queue_receive, finish, NULL,
};

int main(int argc, char **argv)
{
	message_size = queue_message_size(argc, argv);
	return run_peer(argc, argv, &posix_queue);
}
