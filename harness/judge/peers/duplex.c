//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The C peer of the socket pair: messages as frames through socketpair(2). */
#include "peer.h"
#include "stream.h"

static int ends[2];

static void make(int both_ways)
{
	(void)both_ways; /* each end sends and receives anyway */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		err(1, "socketpair");
}

static void open_second(int both_ways)
{
	(void)both_ways;
	close(ends[0]);
	stream_in = stream_out = ends[1];
}

static void open_first(int both_ways)
{
	(void)both_ways;
	close(ends[1]);
	stream_in = stream_out = ends[0];
}

static const struct mechanism socket_pair = {
	make, open_second, open_first, stream_send, stream_receive, stream_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &socket_pair);
}
