//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The C peer of the pipe: messages as frames through pipe(2). */
#include "peer.h"
#include "stream.h"

static int to_first[2], to_second[2];

static void make(int both_ways)
{
	if (pipe(to_first) != 0 || (both_ways && pipe(to_second) != 0))
		err(1, "pipe");
}

/*
 * Each process closes what the other one uses. A reader comes to the end of file
 * only if nobody has the write end open, itself included.
 */
static void open_second(int both_ways)
{
	close(to_first[0]);
	stream_out = to_first[1];
	if (both_ways) {
		close(to_second[1]);
		stream_in = to_second[0];
	}
}

static void open_first(int both_ways)
{
	close(to_first[1]);
	stream_in = to_first[0];
	if (both_ways) {
		close(to_second[0]);
		stream_out = to_second[1];
	}
}

static const struct mechanism pipes = {
	make, open_second, open_first, stream_send, stream_receive, stream_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &pipes);
}
