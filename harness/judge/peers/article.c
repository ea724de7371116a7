//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The way of the articles, in C: no frames, the text EOF as the end, and a reader
 * that opens the file anew for each look. It does not wait for news but looks again
 * at once. It cannot see that its writer has died.
 */
#include "folder.h"
#include "peer.h"

static const char *reads, *writes;
static off_t at; /* what was read already */

static void make(int both_ways)
{
	(void)both_ways;
	make_files();
	reads = to_first;
	writes = to_second;
}

static void open_second(int both_ways)
{
	(void)both_ways;
	reads = to_second;
	writes = to_first;
}

/* The second process needs the names to the end, so only now they may be removed. */
static void open_first(int both_ways)
{
	(void)both_ways;
	atexit(remove_files);
}

static int out = -1;

static void send_text(const unsigned char *message, size_t size)
{
	if (out < 0 && (out = open(writes, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
		err(1, "open %s", writes);
	while (size > 0) {
		ssize_t n = write(out, message, size);

		if (n < 0)
			err(1, "write");
		message += n;
		size -= (size_t)n;
	}
}

static ssize_t receive_text(unsigned char *message, size_t max)
{
	static unsigned char *look;
	size_t room = max > 3 ? max : 3; /* for the text EOF */

	if (look == NULL && (look = malloc(room)) == NULL)
		err(1, "malloc");
	for (;;) {
		ssize_t n;
		int fd = open(reads, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			err(1, "open %s", reads);
		n = pread(fd, look, room, at);
		close(fd);
		if (n < 0)
			err(1, "pread");
		if (n == 3 && memcmp(look, "EOF", 3) == 0)
			return END_OF_FILE;
		if (n >= (ssize_t)max) {
			memcpy(message, look, max);
			at += (off_t)max;
			return (ssize_t)max;
		}
		sched_yield(); /* the writer may need this very core */
	}
}

static void finish(void) { send_text((const unsigned char *)"EOF", 3); }

static const struct mechanism article = {
	make, open_second, open_first, send_text, receive_text, finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &article);
}
