/*
 * Messages through a file: one process appends frames, and the other one follows
 * it. The frames, the end mark and the lock are those of the chapter, so that its
 * reader can follow this writer, and the other way round.
 *
 * The folder must be on a disk, or the peers that wait for the disk measure nothing.
 */
#ifndef FILE_H
#define FILE_H

#include "folder.h"
#include "peer.h"
#include "stream.h"

#include <sys/inotify.h>

/* Tells what happens to the file that this process reads. */
static int changes = -1;
static int writer_gone;

/*
 * Waits until something has happened to the file. The watch was there before the
 * first read. So what happens between a read that found nothing and this call is
 * an event already, and the call returns at once.
 */
static int wait_for_more(void)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n, i;

	if (writer_gone)
		return 0;
	do
		n = read(changes, events, sizeof events);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err(1, "read of inotify");
	for (i = 0; i < n;) {
		const struct inotify_event *e = (const void *)(events + i);

		/* There is one writer, so this is the last word. Read once more. */
		if (e->mask & IN_CLOSE_WRITE)
			writer_gone = 1;
		i += (ssize_t)sizeof *e + e->len;
	}
	return 1;
}

static void follow(const char *path)
{
	stream_in = open(path, O_RDONLY | O_CLOEXEC);
	if (stream_in < 0)
		err(1, "open %s", path);
	changes = inotify_init1(IN_CLOEXEC);
	if (changes < 0)
		err(1, "inotify_init1");
	if (inotify_add_watch(changes, path, IN_MODIFY | IN_CLOSE_WRITE) < 0)
		err(1, "inotify_add_watch %s", path);
	stream_more = wait_for_more;
}

static void append_to(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK };

	stream_out = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (stream_out < 0)
		err(1, "open %s", path);
	if (fcntl(stream_out, F_OFD_SETLK, &whole) != 0)
		err(1, "fcntl F_OFD_SETLK %s", path);
}

static void make(int both_ways)
{
	(void)both_ways;
	atexit(remove_files); /* if it ends with an error before open_first */
	make_files();
	follow(to_first);
}

static void open_second(int both_ways)
{
	close(stream_in); /* they are the other process's */
	close(changes);
	stream_in = -1;
	append_to(to_first);
	if (both_ways)
		follow(to_second);
}

static void open_first(int both_ways)
{
	if (both_ways)
		append_to(to_second);
	remove_files(); /* whoever has it open may go on */
}

static void send_end_mark(void)
{
	uint32_t mark = END_MARK;

	write_all((unsigned char *)&mark, sizeof mark);
	stream_finish();
}

static inline void sync_data(void)
{
	if (fdatasync(stream_out) != 0)
		err(1, "fdatasync");
}

#endif
