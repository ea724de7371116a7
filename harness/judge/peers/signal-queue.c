//go:build ignore
// (The line above is for the go command. This folder is a Go package too.)

/*
 * The C peer of an inbox: sigqueue(3) sends a byte as a signal's number, and signalfd(2)
 * receives it.
 */
#include "peer.h"
#include "queue.h"
#include "sigpair.h"

#include <sys/signalfd.h>

static int inbox = -1;

static void open_inbox(void)
{
	inbox = signalfd(-1, &pair_set, SFD_CLOEXEC);
	if (inbox < 0)
		err(1, "signalfd");
}

static void open_second(int both_ways)
{
	open_inbox();
	pair_open_second(both_ways);
}

static void open_first(int both_ways)
{
	open_inbox();
	pair_open_first(both_ways);
}

static void queue(int number, int value)
{
	union sigval v = { .sival_int = value };

	if (sigqueue(pair_other, number, v) != 0)
		err(1, "sigqueue");
}

static void send_one(const unsigned char *message, size_t size)
{
	if (size != 1)
		errx(1, "a message has %zu bytes, a signal carries one here", size);
	queue(pair_message, message[0]);
}

static ssize_t receive(unsigned char *message, size_t max)
{
	struct signalfd_siginfo info;
	ssize_t n;

	(void)max;
	do
		n = read(inbox, &info, sizeof info);
	while (n < 0 && errno == EINTR);
	if (n != sizeof info)
		err(1, "read of the signalfd");
	if (info.ssi_signo == (uint32_t)pair_end)
		return END_OF_FILE;
	message[0] = (unsigned char)info.ssi_int;
	return 1;
}

static void finish(void) { queue(pair_end, 0); }

int main(int argc, char **argv)
{
	static const struct mechanism signals = {
		.make = pair_make, .open_second = open_second, .open_first = open_first,
		.send = send_one, .receive = receive, .finish = finish,
	};

	pair_signals(SIGRTMIN, SIGRTMIN + 1);
	return run_peer(argc, argv, &signals);
}
