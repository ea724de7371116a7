//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the packet socket: AF_UNIX and SOCK_SEQPACKET. It keeps the
 * boundaries of messages, so there is no frame.
 */
#include "peer.h"

#include "address.h"

static int connection = -1;

static void make(int both_ways)
{
	(void)both_ways; /* a connection goes both ways anyway */
	listen_at_a_path(SOCK_SEQPACKET);
}

static void open_second(int both_ways)
{
	(void)both_ways;
	connection = connect_to_the_path(SOCK_SEQPACKET);
}

static void open_first(int both_ways)
{
	(void)both_ways;
	connection = accept_the_second();
}

/* A packet goes whole or not at all. */
static void packet_send(const unsigned char *message, size_t size)
{
	ssize_t n;

	do
		n = send(connection, message, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err(1, "send");
}

/*
 * With MSG_TRUNC the length is the packet's own, also where there was room for
 * less. A packet without bytes cannot be told from the end of file.
 */
static ssize_t packet_receive(unsigned char *message, size_t max)
{
	ssize_t n;

	do
		n = recv(connection, message, max, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err(1, "recv");
	if (n == 0)
		return END_OF_FILE;
	if ((size_t)n > max)
		errx(1, "a packet has %zd bytes, the limit is %zu", n, max);
	return n;
}

/* Only this direction ends. In the other one there is the end of file to receive. */
static void packet_finish(void)
{
	if (shutdown(connection, SHUT_WR) != 0)
		err(1, "shutdown");
}

static const struct mechanism packet_socket = {
	make, open_second, open_first, packet_send, packet_receive, packet_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &packet_socket);
}
