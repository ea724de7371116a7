//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The other C peer of the process pool: each worker gets one task at a time, on its own stream. */
#include "pool.h"

int main(int argc, char **argv)
{
	return run_pool(argc, argv, 2, 0, NULL);
}
