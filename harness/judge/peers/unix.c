//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the stream socket: messages as frames through AF_UNIX and
 * SOCK_STREAM. The second process connects to the first one's path.
 */
#include "peer.h"
#include "stream.h"

#include "address.h"

static void make(int both_ways)
{
	(void)both_ways; /* a connection goes both ways anyway */
	listen_at_a_path(SOCK_STREAM);
}

static void open_second(int both_ways)
{
	(void)both_ways;
	stream_in = stream_out = connect_to_the_path(SOCK_STREAM);
}

static void open_first(int both_ways)
{
	(void)both_ways;
	stream_in = stream_out = accept_the_second();
}

static const struct mechanism stream_socket = {
	make, open_second, open_first, stream_send, stream_receive, stream_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &stream_socket);
}
