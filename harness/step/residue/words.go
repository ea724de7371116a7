package residue

import (
	"fmt"
	"slices"
)

// Kind is a kind of object. What is left is told in this order.
type Kind int

const (
	Descriptor Kind = iota
	Zombie          // a child that has ended, and nobody waited for it
	Queue           // System V
	SemaphoreSet
	Segment
	PosixQueue
	SharedMemory // POSIX
	NamedSemaphore
	Socket // the file of one
	FIFO
	File
	Folder
)

// words are what is said of each kind: what it is called, what the process did
// to it that the kernel names, and the likeliest reason that it stayed.
var words = [...]struct{ noun, verb, reason string }{
	Descriptor: {reason: "What the package opens it closes: in Close, or at once if it is not needed any more."},
	Zombie:     {reason: "A process that has ended stays as a zombie until its parent waits for it (wait4(2), exec.Cmd.Wait)."},
	Queue: {"System V queue", "last sent to",
		"A System V queue stays until somebody removes it: msgctl(2) with IPC_RMID."},
	SemaphoreSet: {"System V semaphore set", "last changed",
		"A System V semaphore set stays until somebody removes it: semctl(2) with IPC_RMID."},
	Segment: {"System V shared memory", "made",
		"A System V segment stays until somebody removes it: shmctl(2) with IPC_RMID."},
	PosixQueue: {noun: "POSIX queue",
		reason: "To close a POSIX queue does not remove it. If you make one, unlink its name: mq_unlink(3)."},
	SharedMemory: {noun: "POSIX shared memory",
		reason: "To close or unmap shared memory does not remove it. If you make it, unlink its name: shm_unlink(3)."},
	NamedSemaphore: {noun: "POSIX semaphore",
		reason: "To close a named semaphore does not remove it. If you make one, unlink its name: sem_unlink(3)."},
	Socket: {noun: "the socket file",
		reason: "The kernel does not remove the file of a socket. If you bind a socket, remove its file in Close (unix(7))."},
	FIFO: {noun: "the FIFO",
		reason: "A FIFO stays when all have closed it. If you make one, remove it: unlink(2)."},
	File: {noun: "the file",
		reason: "If you make a file for a while (temporary, a lock), remove it, also where an error ends the work early."},
	Folder: {noun: "the folder",
		reason: "If you make a temporary folder, remove it, also where an error ends the work early."},
}

func (k Kind) systemV() bool { return k == Queue || k == SemaphoreSet || k == Segment }

// String says what the object is, and who made it where the kernel knows:
//
//	System V queue 3 (key 0x1a2b), 2 messages, last sent to by consumer (pid 12)
//	POSIX shared memory /dev/shm/ipc-7-9a3e5f10-ring, 4096 bytes
func (o Object) String() string {
	if o.Kind == Descriptor {
		return fmt.Sprintf("fd %d is %s", o.ID, o.Detail)
	}
	if o.Kind == Zombie {
		return fmt.Sprintf("%s (pid %d), a process that has ended", o.Name, o.ID)
	}
	w := words[o.Kind]
	text := w.noun + " " + o.Name
	if o.Kind.systemV() {
		key := "IPC_PRIVATE"
		if o.Key != 0 {
			key = fmt.Sprintf("key %#x", uint32(o.Key))
		}
		text = fmt.Sprintf("%s %d (%s)", w.noun, o.ID, key)
	}
	if o.Detail != "" {
		text += ", " + o.Detail
	}
	if o.Removed {
		text += ", removed but still attached"
	}
	switch {
	case o.Role != "":
		text += fmt.Sprintf(", %s by %s (pid %d)", w.verb, o.Role, o.Maker)
	case o.Maker != 0:
		text += fmt.Sprintf(", %s by pid %d", w.verb, o.Maker)
	}
	return text
}

// described adds what takes a look at the object itself.
func (o Object) described() Object {
	switch o.Kind {
	case PosixQueue:
		o.Detail = waiting(o.Name)
	case SharedMemory, NamedSemaphore, File:
		o.Detail = size(o.Name)
	}
	return o
}

// Reasons returns the likeliest reason for each kind that is left, each once.
func Reasons(left []Object) []string {
	var reasons []string
	for _, o := range left {
		reason := words[o.Kind].reason
		if o.Removed {
			reason = "Who attaches a segment detaches it: shmdt(2)."
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
