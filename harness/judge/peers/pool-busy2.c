//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/* The C peer of tasks that use the processor, with two workers. */
#include "busy.h"

int main(int argc, char **argv)
{
	return run_pool(argc, argv, 2, 1, busy);
}
