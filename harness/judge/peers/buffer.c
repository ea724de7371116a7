//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a buffer in shared memory, with a lock and two semaphores: the way of the
 * textbooks. It has room for 64 KiB of messages, and at least for four.
 */
#include "peer.h"
#include "queue.h"
#include "slots.h"

int main(int argc, char **argv)
{
	slot_size = queue_message_size(argc, argv);
	slot_count = (64 << 10) / (slot_size + 1);
	if (slot_count < 4)
		slot_count = 4;
	slots_locked = 1;
	return run_peer(argc, argv, &slots);
}
