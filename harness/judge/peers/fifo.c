//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the FIFO: messages as frames through mkfifo(3). Both processes
 * open it by its path.
 */
#include "peer.h"
#include "stream.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static char folder[PATH_MAX - 16], to_first[PATH_MAX], to_second[PATH_MAX];

/*
 * An open of a FIFO waits until the other side opens it too. With a process that
 * has died it would wait for ever. With O_NONBLOCK the reader need not wait, and
 * the writer gets ENXIO if there is no reader. So the reader always opens first.
 * Reading and writing shall block: O_NONBLOCK is taken away after the open.
 */
static int open_fifo(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err(1, "open %s", path);
	if (fcntl(fd, F_SETFL, flags) != 0)
		err(1, "fcntl %s", path);
	return fd;
}

static void remove_fifos(void)
{
	unlink(to_first);
	unlink(to_second);
	rmdir(folder);
}

static void make(int both_ways)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || tmp[0] == '\0')
		tmp = "/tmp";
	if (snprintf(folder, sizeof folder, "%s/fifo-XXXXXX", tmp) >= (int)sizeof folder)
		errx(1, "TMPDIR is too long");
	if (mkdtemp(folder) == NULL)
		err(1, "mkdtemp %s", folder);
	sprintf(to_first, "%s/to-first", folder);
	sprintf(to_second, "%s/to-second", folder);
	atexit(remove_fifos); /* if it ends with an error before open_first */
	if (mkfifo(to_first, 0600) != 0)
		err(1, "mkfifo %s", to_first);
	if (both_ways && mkfifo(to_second, 0600) != 0)
		err(1, "mkfifo %s", to_second);
	stream_in = open_fifo(to_first, O_RDONLY);
}

static void open_second(int both_ways)
{
	close(stream_in); /* it is the other process's end */
	stream_in = -1;
	stream_out = open_fifo(to_first, O_WRONLY);
	if (both_ways)
		stream_in = open_fifo(to_second, O_RDONLY);
}

static void open_first(int both_ways)
{
	if (both_ways)
		stream_out = open_fifo(to_second, O_WRONLY);
	remove_fifos(); /* whoever has it open may go on */
}

static const struct mechanism fifos = {
	make, open_second, open_first, stream_send, stream_receive, stream_finish, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &fifos);
}
