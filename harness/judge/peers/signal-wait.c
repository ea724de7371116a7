//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of a listener: kill(2) sends a signal, and sigwaitinfo(2) takes it. It carries
 * nothing, so the messages are counted.
 */
#include "peer.h"
#include "queue.h"
#include "sigpair.h"

static uint64_t count, next;

static void send_one(const unsigned char *message, size_t size)
{
	(void)message;
	if (size != 1)
		errx(1, "a message has %zu bytes, a signal stands for one here", size);
	if (kill(pair_other, pair_message) != 0)
		err(1, "kill");
}

static ssize_t receive(unsigned char *message, size_t max)
{
	int n;

	(void)max;
	do
		n = sigwaitinfo(&pair_set, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err(1, "sigwaitinfo");
	if (n == pair_end)
		return END_OF_FILE;
	message[0] = (unsigned char)next;
	next = (next + 1) % count;
	return 1;
}

static void finish(void)
{
	if (kill(pair_other, pair_end) != 0)
		err(1, "kill");
}

int main(int argc, char **argv)
{
	static const struct mechanism signals = {
		.make = pair_make, .open_second = pair_open_second, .open_first = pair_open_first,
		.send = send_one, .receive = receive, .finish = finish,
	};

	count = argc == 4 ? strtoull(argv[3], NULL, 10) : 1;
	if (count == 0)
		count = 1;
	pair_signals(SIGUSR1, SIGUSR2);
	return run_peer(argc, argv, &signals);
}
