// Package peers has the workload of the benchmarks in other languages, so that
// they can stand beside a Go solution: in C (NAME.c), in Python (NAME.py, standard
// library only), and as a limit what the bytes alone cost (limit/main.go). NAME is
// a mechanism: pipe, fifo; file; unix, seqpacket and tcp for sockets, and duplex for a
// socket pair; posix-queue and sysv-queue; ring, buffer, sysv-buffer and semaphore for shared
// memory; signal-queue and signal-wait; joinable and joinable-futex. And free-lock, free-semaphore and sysv-semaphore
// send nothing. What those of one language share is in peer.h, stream.h, file.h, folder.h, address.h,
// queue.h, slots.h, sigpair.h, joinable.h, crowd.h and operation.h, and in peer.py, file.py, stream.py, address.py,
// queues.py, slots.py, semaphores.py, sigpair.py, crowd.py and operation.py. [Prepare] makes one ready
// to run.
//
// # The command line
//
//	PEER BENCHMARK SIZE COUNT
//
// A peer is two processes, but for the benchmarks crowd, tasks and operation. The first one is started by the
// command line. It starts the second one.
//
//   - transfer: the second process sends COUNT messages of SIZE bytes and closes.
//     The first one receives them.
//   - pingpong: the first process sends a message of SIZE bytes and waits until the
//     second one has sent it back. This is done COUNT times. Then the first one closes.
//   - crowd: two processes put messages into one queue, in all COUNT of SIZE bytes, of at least 8:
//     the first one of the two those with even numbers. Three others take them. The one that the
//     command line has started takes no part: it waits until all is done.
//   - tasks: the first process has a pool of processes, which does COUNT tasks. See below.
//   - operation: one process does something COUNT times that nobody else wants at the same
//     time: it takes a lock and gives it back, or posts to a semaphore and takes. SIZE says
//     nothing.
//
// # Messages
//
// They are numbered from 0. The first 8 bytes are the number, most significant
// byte first; byte j after them is j % 251. Where SIZE is less than 8, every byte is
// the number % 256.
//
// The first process checks the length and every byte of each message against the
// one that it expects. So a message that was lost, doubled, damaged or sent out
// of order is an error. After the last message it expects the end of file, and
// that the second process ends with status 0.
//
// Where the mechanism is a stream of bytes a message is sent as a frame: its
// length in 4 bytes, most significant first, and then the message. multiprocessing
// does the same.
//
// # Files
//
// In a file the frames are those of chapter 2, with its end mark and its lock. There
// are three peers, as the chapter has three kinds of durability: file leaves the disk
// to the kernel, file-close counts the time until the disk has all of it
// (fdatasync(2)), file-each does this for each message. article is the way of the
// articles that the workbook grows out of: bytes without frames, the text EOF, and a
// reader that opens the file anew for each look.
//
// The files stand in the folder IPC_FILES, if the environment has it, or else in
// TMPDIR. Where that is no disk, file-close and file-each measure nothing: it is up to
// whoever starts a peer. Nothing stays there, unless the first process is killed.
//
// # Queues
//
// A queue keeps boundaries, so there is no frame, and it has no end: an empty message
// stands for that. Its size is that of the messages, up to the limits of the machine
// (8,192 bytes by default). posix-queue has room for ten messages, and loses its name
// before anything is sent. sysv-queue is as large as the kernel makes it. If the first
// process is killed it stays, with a key that has its pid: 0x40000000 | pid << 1, and one
// more for the other direction. So do the sets of sysv-buffer. That of sysv-semaphore has no
// key (IPC_PRIVATE), and stays then, too.
//
// # Shared memory
//
// It has no end of file either: an empty message stands for it. ring is a ring of bytes with room
// for 64 KiB, or for four messages; in Python, which has no atomic operations on memory, it is
// slots with a lock and two semaphores. buffer is that in both languages, and sysv-buffer
// with semaphores of System V. semaphore has one slot. In C the memory has no name. In Python it
// loses it when both processes have it.
//
// # Signals
//
// A signal is a message of one byte, and they are measured as a ping-pong only. In signal-queue
// the byte is the number that sigqueue(3) sends, and signalfd(2) receives it. In signal-wait
// there is no byte: who receives counts. Another signal is the end.
//
// # The joinable queue
//
// It has room for 128 messages. Who takes a message marks it as done at once. In C it is a ring of
// slots under one lock. In joinable that is made as the reference is: flock(2), and an eventfd(2) to
// sleep on, and each process counts by itself what is done. In joinable-futex it is a robust mutex,
// and a futex(2) to sleep on. In Python it is multiprocessing.JoinableQueue: a pipe, a lock for each
// of its ends, two semaphores and a condition, and a thread that writes.
//
// # The process pool
//
// pool, pool-async, pool-busy1 and pool-busy2 know one benchmark, and it is theirs alone:
//
//   - tasks: a pool runs COUNT tasks, whose results are messages of SIZE bytes. All are submitted first,
//     and then the first process takes and checks the results, in their order.
//
// There are two workers, and one in pool-busy1. In pool and pool-async a task only makes its message. In the other
// two it computes SHA-256 of 256 KiB before, which has the message's number in it. C has no such function in its library, and
// the one here is in plain C: so one of these two stands beside the other one of the same language, and shows the
// speed-up.
//
// In C all workers take tasks from one SOCK_SEQPACKET socket, and answer on a stream each. In pool-async each
// worker gets one task at a time, on that stream. In Python pool is concurrent.futures.ProcessPoolExecutor, and
// pool-async is multiprocessing.Pool.
//
// The start-up, which whole has in it, ends when all workers are there. If IPC_CORE is there the first worker
// takes that core, and the others stay on that of the first process.
//
// What those of one language share is in pool.h, busy.h and tasks.py.
//
// # What is measured
//
// Everything is done twice, in the same two processes. The first time warms up: the
// memory is there then, and the caches are full. The times are taken by the first
// process, with CLOCK_MONOTONIC.
//
//   - seconds is how long the second time took: from right before the second process
//     is told to go until the last message was received and checked. In a crowd the time
//     ends when all is done, which the first process waits for (join).
//   - whole is that and the start-up: from right before the mechanism is made and the
//     second process is started until it has said that it is ready. The start of
//     the first one, of Python itself for example, is not in it.
//
// The limit measures less (limit/main.go says what), so as to be one.
//
// # Output
//
// One line on the standard output, and status 0:
//
//	{"messages":8192,"seconds":0.018,"whole":0.021}
//
// An error is a sentence on the standard error, and status 1. A wrong command line
// is status 2. Status 3 is of the limit only: the benchmark cannot be measured on
// this machine. The second process ends with the first one, even if that one is
// killed.
//
// # What is fair
//
// Each peer is what a good programmer writes in that language without tricks. The
// pipe and the sockets keep their sizes. Reads and writes block. The C peer sends a
// frame with one system call, and reads as much as there is: up to 64 KiB. The Python
// peer of the pipe, the FIFO and the socket pair takes what multiprocessing gives.
// Those of unix, seqpacket and tcp take the module socket, and let it read ahead. Over
// TCP a small message does not wait (TCP_NODELAY). Who follows a file sleeps until
// inotify(7) has news. For queues Python has no module: there it is ctypes, and the
// functions of the C library. A message that was received is the receiver's own memory.
//
// Where the scheduler puts the two processes, on one core or on two, changes a
// figure several times over. So whoever starts a peer may decide it: the first
// process stays on the core on which it was started (sched_setaffinity(2)), and the
// second one takes the core whose number is in the environment variable IPC_CORE,
// if there is one. The limit decides for itself.
package peers
