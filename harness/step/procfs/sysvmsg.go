package procfs

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MessageQueue is the state of a System V message queue.
type MessageQueue struct {
	Messages, Bytes  int
	Capacity         int     // in bytes; 0 if it may not be read
	Types            []int64 // of the first messages, nil if they may not be read
	Sender, Receiver int     // pids of the last ones; 0 if there was none
}

func (v *SystemV) readQueue(t Thread, row map[string]int) {
	v.Queue = &MessageQueue{
		Messages: row["qnum"],
		Bytes:    row["cbytes"],
		Sender:   row["lspid"],
		Receiver: row["lrpid"],
	}
	v.Queue.Capacity = queueCapacity(v.ID)
	if t.Syscall == "msgrcv" {
		v.Queue.Types = queueTypes(v.ID, v.Queue.Messages, v.Queue.Bytes)
	}
}

// queueStatus is struct msqid_ds of msgctl(2), the same on amd64 and arm64.
type queueStatus struct {
	_            unix.SysvIpcPerm
	_, _, _      int64 // times
	_, _, qbytes uint64
	_, _         int32 // pids
	_, _         uint64
}

// queueCapacity is msg_qbytes, the only figure that /proc/sysvipc/msg does not have.
func queueCapacity(id int) int {
	var status queueStatus
	_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), unix.IPC_STAT, uintptr(unsafe.Pointer(&status)))
	if errno != 0 {
		return 0
	}
	return int(status.qbytes)
}

// msgCopy is MSG_COPY of msgrcv(2): look at the message with that number and
// leave it there. It needs a kernel with CONFIG_CHECKPOINT_RESTORE, and the
// right to read the queue.
const msgCopy = 0o40000

// queueTypes looks at the types of the first messages. No message is longer than
// all of them together.
func queueTypes(id, messages, bytes int) []int64 {
	const many, long = 32, 1 << 20
	if bytes > long {
		return nil
	}
	const head = 8 // the type, a long of C
	b := make([]byte, head+bytes)
	var all []int64
	for i := range min(messages, many) {
		_, _, errno := unix.Syscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(&b[0])),
			uintptr(bytes), uintptr(i), msgCopy|unix.IPC_NOWAIT, 0)
		if errno != 0 {
			return nil
		}
		all = append(all, int64(binary.NativeEndian.Uint64(b)))
	}
	return all
}
