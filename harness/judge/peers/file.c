//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of the file: one process appends frames, the other one follows. The
 * kernel writes to the disk when it likes.
 */
#include "file.h"

static const struct mechanism files = {
	make, open_second, open_first, stream_send, stream_receive, send_end_mark, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &files);
}
