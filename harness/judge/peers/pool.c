//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The C peer of the process pool: all workers take their tasks from one socket. */
#include "pool.h"

int main(int argc, char **argv)
{
	return run_pool(argc, argv, 2, 1, NULL);
}
