// Package explain turns a hang into text: who is blocked, in which call, on what, and
// who holds the other end. It says what package procfs has read while the processes
// hung, and whose line of code it is: the learner's, the test's or the lab's. What
// could not be read it does not guess: the text says so.
//
// [Explain] goes three ways. At first it finds how each process waits (wait.go): by
// the dump of the Go runtime (dumpwait.go), and without one by the threads alone
// (threadwait.go). Then it looks which wait is the cause of others (chain.go), and
// whether some are a ring (ring.go). In the end each wait gets its paragraph, of the
// kind that it is (kinds.go), and a process of the lab one line (lab.go).
//
// # Adding a kind
//
// One file per kind, and one line in the table in kinds.go. The file says when the kind
// applies, and writes the paragraph: lines that say what is so, and advice that says
// what is usually wrong. pipewrite.go is the example.
//
// A kind that has to know more than [procfs.Read] reads adds it there, since afterwards
// the process is dead: a field of [procfs.Thread] for what a call waits for, one of
// [procfs.File] for what a descriptor leads to. Where a kind needs the dump, or a look
// at the processes before, its file says so. A wait that has another end, which another
// process may have, can be part of a ring: ring.go asks for that (hasEnds).
package explain
