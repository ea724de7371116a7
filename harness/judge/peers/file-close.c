//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the file that is made durable at the end: the transfer counts
 * until the disk has all of it.
 */
#include "file.h"

static const struct mechanism files = {
	make, open_second, open_first, stream_send, stream_receive, send_end_mark, sync_data,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &files);
}
