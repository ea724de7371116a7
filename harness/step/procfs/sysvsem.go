package procfs

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Semaphore is the semaphore that holds up a semop(2), with what the call asks
// of it.
type Semaphore struct {
	Num   int // in the set
	Op    int // negative: it takes; 0: it waits for zero; positive: it gives
	Value int
	Left  int // of the value, after what the call does to it before
	More  int // operations of the same call

	Takers  int // threads that wait until it grows: GETNCNT
	Zeroers int // threads that wait until it is at 0: GETZCNT
	Last    int // pid of who did the last operation: GETPID; 0 if nobody did
}

// Commands of semctl(2).
const (
	semGetPID  = 11
	semGetVal  = 12
	semGetNCnt = 14
	semGetZCnt = 15
)

func semctl(id, num, command int) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(num), uintptr(command), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readSemaphore finds the operation that waits. semop(2) does all of its
// operations or none, so it waits at the first that cannot be done after those
// before it.
func (v *SystemV) readSemaphore(pid int, t Thread) {
	ops := semOps(pid, t)
	if len(ops) == 0 {
		return
	}
	s := &Semaphore{Num: ops[0].num, Op: ops[0].op, More: len(ops) - 1}
	v.Semaphore = s
	done := map[int]int{} // to each semaphore by the operations before
	for _, o := range ops {
		value, err := semctl(v.ID, o.num, semGetVal)
		if err != nil {
			v.Err = err
			return
		}
		s.Num, s.Op, s.Value, s.Left = o.num, o.op, value, value+done[o.num]
		if o.op == 0 && s.Left != 0 || s.Left+o.op < 0 {
			break
		}
		done[o.num] += o.op
	}
	s.Takers, _ = semctl(v.ID, s.Num, semGetNCnt)
	s.Zeroers, _ = semctl(v.ID, s.Num, semGetZCnt)
	s.Last, _ = semctl(v.ID, s.Num, semGetPID)
}

type semOp struct{ num, op int }

// semOps reads the array of struct sembuf that a thread gave to semop(2).
func semOps(pid int, t Thread) []semOp {
	const size, many = 6, 500 // SEMOPM
	n := min(t.Args[2], many)
	b := make([]byte, n*size)
	if readMemory(pid, t.Args[1], b) != nil {
		return nil
	}
	var ops []semOp
	for ; len(b) > 0; b = b[size:] {
		ops = append(ops, semOp{
			num: int(binary.NativeEndian.Uint16(b)),
			op:  int(int16(binary.NativeEndian.Uint16(b[2:]))),
		})
	}
	return ops
}
