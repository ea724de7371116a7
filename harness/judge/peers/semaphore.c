//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of semaphores: room for one message, and sem_wait(3) and sem_post(3) to hand
 * it over.
 */
#include "peer.h"
#include "queue.h"
#include "slots.h"

int main(int argc, char **argv)
{
	slot_size = queue_message_size(argc, argv);
	slot_count = 1;
	return run_peer(argc, argv, &slots);
}
