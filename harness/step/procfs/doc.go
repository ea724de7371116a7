// Package procfs reads /proc and explains a hang: who is blocked, in which
// call, on what, and who holds the other end.
//
// The order of use is:
//
//  1. [Look] twice. Two equal sights that are both asleep mean that nothing of
//     the step can run any more.
//  2. [Read] every process. Do this before any signal is sent: what is read
//     here is what the explanation is made of.
//  3. [Hold] their descriptors, and ask every process for the runtime's dump:
//     SIGQUIT to [Process.DumpThread]. Without Hold the first process that ends
//     wakes the others up.
//  4. [Explain].
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
// it to ancestors. What cannot be read is left out, and the text says so. It
// never guesses.
//
// # Adding a kind of thing
//
// One small file per kind: how a wait on it looks, and the paragraph about it.
// pipe.go is the example; paragraph.go picks the paragraph.
package procfs
