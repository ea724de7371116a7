//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The C peer of the file in which each record is made durable before the next. */
#include "file.h"

static void send_and_sync(const unsigned char *message, size_t size)
{
	stream_send(message, size);
	sync_data();
}

static const struct mechanism files = {
	make, open_second, open_first, send_and_sync, stream_receive, send_end_mark, NULL,
};

int main(int argc, char **argv)
{
	return run_peer(argc, argv, &files);
}
