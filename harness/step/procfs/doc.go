// Package procfs reads what the kernel says of processes: their threads and the calls
// that those are in, their descriptors, memory and signals, and the pipes, sockets,
// queues and locks that they wait for. It reads the dumps of the Go runtime too. What
// it all means is said by package explain.
//
// For a hang the order of use is:
//
//  1. [Look] twice, with a [Pause] in between. Two equal sights that are both asleep
//     mean that nothing of the step can run any more.
//  2. [Read] every process. Do this before any signal is sent: what is read
//     here is what the explanation is made of. What a call waits for is often in the
//     memory of its thread only, so Read looks there too.
//  3. [Hold] their descriptors, and ask every process for the runtime's dump:
//     SIGQUIT to [Process.DumpThread]. Without Hold the first process that ends
//     wakes the others up.
//  4. [ParseDump] and [Process.PolledBy] tell how the goroutines wait, [Holders] who
//     else in the machine has a thing open. Both can wait until the processes are dead.
//
// Nothing here is exact about a process that still runs: /proc is read file by
// file, and the process may change in between. For a process that hangs it is
// exact.
//
// # Permissions
//
// Only who may trace a process may read its system calls, its descriptors and
// its environment (PTRACE_MODE_READ and PTRACE_MODE_ATTACH, see ptrace(2)).
// For processes of the same user that is the case, except where Yama restricts
// it to ancestors. What cannot be read is left out, and who asks can see that it is:
// [Process.FilesErr], [Process.CallsReadable], [Process.NoPeers]. It never guesses.
package procfs
