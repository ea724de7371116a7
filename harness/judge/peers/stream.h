/*
 * Messages over a stream of bytes, as a pipe, a FIFO, a stream socket or a file
 * has one. A stream knows no messages. So each one is sent as a frame: its length
 * as four bytes, the most significant first, and then the message.
 */
#ifndef STREAM_H
#define STREAM_H

#include <arpa/inet.h>
#include <sys/uio.h>

#include "peer.h"

#define HEADER_SIZE 4

/* The ends that this process has. The mechanism sets them. */
static int stream_in = -1;
static int stream_out = -1;

/*
 * A file differs in two things. What read(2) calls the end of file is only the end
 * of what is there by now: stream_more waits for more, and returns 0 if none will
 * come. And so the end is a frame too: a length that no message has.
 */
static int (*stream_more)(void);
#define END_MARK UINT32_MAX

/* write(2) may take less than all: when a signal interrupts it, for example. */
static void write_all(const unsigned char *p, size_t size)
{
	while (size > 0) {
		ssize_t n = write(stream_out, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(1, "write");
		p += n;
		size -= (size_t)n;
	}
}

/*
 * Header and message go in one system call. To copy a small message behind its
 * header costs less than writev(2) with its two parts. A large one is not copied.
 */
static void stream_send(const unsigned char *message, size_t size)
{
	static unsigned char small[4096];
	uint32_t header = htonl((uint32_t)size);
	struct iovec parts[2] = { { &header, HEADER_SIZE }, { (void *)message, size } };
	ssize_t n;

	if (size <= sizeof small - HEADER_SIZE) {
		memcpy(small, &header, HEADER_SIZE);
		memcpy(small + HEADER_SIZE, message, size);
		write_all(small, HEADER_SIZE + size);
		return;
	}
	do
		n = writev(stream_out, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err(1, "writev");
	/* What it did not take. */
	if (n < HEADER_SIZE) {
		write_all((unsigned char *)&header + n, (size_t)(HEADER_SIZE - n));
		n = HEADER_SIZE;
	}
	n -= HEADER_SIZE;
	write_all(message + n, size - (size_t)n);
}

/* What was read ahead and not yet handed out. */
static unsigned char ahead[64 * 1024];
static size_t ahead_first, ahead_end;

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

static size_t read_some(unsigned char *p, size_t size)
{
	for (;;) {
		ssize_t n = read(stream_in, p, size);

		if (n == 0 && stream_more != NULL && stream_more())
			continue;
		if (n >= 0)
			return (size_t)n;
		if (errno != EINTR)
			err(1, "read");
	}
}

/*
 * Reads size bytes, fewer only at the end of file. One read(2) gets all that is
 * in the pipe, so that many small messages cost one call. What is larger than
 * the buffer's rest goes to its own place, without a copy in between.
 */
static size_t read_full(unsigned char *p, size_t size)
{
	size_t have = 0;

	for (;;) {
		size_t n = min_size(size - have, ahead_end - ahead_first);

		memcpy(p + have, ahead + ahead_first, n);
		ahead_first += n;
		have += n;
		if (have == size)
			return have;
		/* The buffer is empty. */
		if (size - have >= sizeof ahead) {
			n = read_some(p + have, size - have);
			have += n;
		} else {
			n = read_some(ahead, sizeof ahead);
			ahead_first = 0;
			ahead_end = n;
		}
		if (n == 0)
			return have;
	}
}

static ssize_t stream_receive(unsigned char *message, size_t max)
{
	uint32_t header;
	size_t n, size;

	n = read_full((unsigned char *)&header, HEADER_SIZE);
	if (n == 0)
		return END_OF_FILE;
	if (n < HEADER_SIZE)
		errx(1, "end of file in the middle of a header");
	size = ntohl(header);
	if (size == END_MARK && stream_more != NULL)
		return END_OF_FILE;
	if (size > max)
		errx(1, "a header claims %zu bytes, the limit is %zu", size, max);
	if (read_full(message, size) < size)
		errx(1, "end of file in the middle of a message");
	return (ssize_t)size;
}

/*
 * A socket goes both ways. Only this direction ends: in the other one there is
 * something to receive yet, the end of file.
 */
static void stream_finish(void)
{
	if (stream_in == stream_out) {
		if (shutdown(stream_out, SHUT_WR) != 0)
			err(1, "shutdown");
	} else if (close(stream_out) != 0) {
		err(1, "close");
	}
}

#endif
