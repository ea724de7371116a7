/*
 * Two processes that meet at the path of a socket. The path lies in a folder of
 * its own, that nobody else may enter.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <sys/un.h>

#include "peer.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char folder[sizeof address.sun_path];
static int listener = -1;

static void remove_address(void)
{
	unlink(address.sun_path);
	rmdir(folder);
}

static int new_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

/* In the first process, before the second one is started. */
static void listen_at_a_path(int type)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || tmp[0] == '\0')
		tmp = "/tmp";
	if (snprintf(address.sun_path, sizeof address.sun_path, "%s/ipc-XXXXXX/s", tmp) >=
	    (int)sizeof address.sun_path)
		errx(1, "TMPDIR is too long: a socket's path has at most %zu bytes",
		     sizeof address.sun_path - 1);
	/* mkdtemp chooses the name of the folder, and the path is the same. */
	strcpy(folder, address.sun_path);
	*strrchr(folder, '/') = '\0';
	if (mkdtemp(folder) == NULL)
		err(1, "mkdtemp %s", folder);
	memcpy(address.sun_path, folder, strlen(folder));
	atexit(remove_address); /* if it ends with an error before open_first */

	listener = new_socket(type);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
		err(1, "bind to %s", address.sun_path);
	if (listen(listener, 1) != 0)
		err(1, "listen");
}

/* In the second process. There is room for one that is not accepted yet, so it does not wait. */
static int connect_to_the_path(int type)
{
	int fd = new_socket(type);

	close(listener); /* it is the other process's */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		err(1, "connect to %s", address.sun_path);
	return fd;
}

/* In the first process, when the second one has connected. */
static int accept_the_second(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		err(1, "accept");
	close(listener);
	remove_address(); /* who is connected needs no path */
	return fd;
}

#endif
