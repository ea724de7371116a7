//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of TCP on the loopback interface: messages as frames through
 * 127.0.0.1, at a port that the kernel chooses.
 */
#include "peer.h"
#include "stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static struct sockaddr_in address = { .sin_family = AF_INET };
static int listener = -1;

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

/* A small message shall not wait for an acknowledgement of the one before it. */
static int without_delay(int fd)
{
	int yes = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0)
		err(1, "setsockopt TCP_NODELAY");
	return fd;
}

static void make(int both_ways)
{
	socklen_t size = sizeof address;

	(void)both_ways; /* a connection goes both ways anyway */
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = new_socket();
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
		err(1, "bind to 127.0.0.1");
	if (listen(listener, 1) != 0)
		err(1, "listen");
	if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		err(1, "getsockname");
}

static void open_second(int both_ways)
{
	int fd = new_socket();

	(void)both_ways;
	close(listener); /* it is the other process's */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		err(1, "connect to 127.0.0.1");
	stream_in = stream_out = without_delay(fd);
}

static void open_first(int both_ways)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	(void)both_ways;
	if (fd < 0)
		err(1, "accept");
	close(listener);
	stream_in = stream_out = without_delay(fd);
}

static const struct mechanism tcp = {
	make, open_second, open_first, stream_send, stream_receive, stream_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &tcp);
}
