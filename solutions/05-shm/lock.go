package shm

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const LockSize = 64

// The states of what a lock protects.
const (
	consistent     = 0
	halfDone       = 1
	notRecoverable = 2
)

// Lock is a word with the number of the thread that owns it.
type Lock struct {
	state *atomic.Uint32
	owned
}

func lockAt(r *Region, offset int) *Lock {
	return &Lock{state: at[atomic.Uint32](r, offset+4), owned: ownedAt(r, offset+8)}
}

func ownedAt(r *Region, offset int) owned {
	return owned{region: r, word: at[atomic.Uint32](r, offset), node: at[atomic.Uintptr](r, offset-nodeToWord)}
}

func NewLock(r *Region, offset int) (l *Lock, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	if err := r.object("lock", offset, LockSize); err != nil {
		return nil, err
	}
	kind, err := r.begin("lock", offset)
	if err != nil {
		return nil, err
	}
	l = lockAt(r, offset)
	l.state.Store(consistent)
	l.word.Store(0)
	kind.Store(kindLock)
	return l, nil
}

func OpenLock(r *Region, offset int) (l *Lock, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	if err := r.object("lock", offset, LockSize); err != nil {
		return nil, err
	}
	if err := r.is(kindLock, "lock", offset); err != nil {
		return nil, err
	}
	return lockAt(r, offset), nil
}

func (l *Lock) TryLock() (err error) {
	defer l.region.guard(&err, debug.SetPanicOnFault(true))
	if l.region.closed.Load() {
		return os.ErrClosed
	}
	for {
		before, taken, err := theKeeper().take(l.owned, threadMask, 0)
		switch {
		case err != nil:
			return err
		case taken:
			return l.told(before)
		case before&threadMask != 0:
			return ErrLocked
		}
	}
}

func (l *Lock) Lock(deadline time.Time) (err error) {
	defer l.region.guard(&err, debug.SetPanicOnFault(true))
	if l.region.closed.Load() {
		return os.ErrClosed
	}
	k := theKeeper()
	before, taken, err := k.take(l.owned, threadMask, 0)
	if err != nil {
		return err
	}
	if !taken {
		if before, err = l.wait(k, deadline); err != nil {
			return err
		}
	}
	return l.told(before)
}

// wait takes the lock as one that others may wait for: who was woken up does not know
// whether it was the last one.
func (l *Lock) wait(k *keeper, deadline time.Time) (before uint32, err error) {
	if err := l.region.enter(); err != nil {
		return 0, err
	}
	defer l.region.leave()
	defer passOn(l.node)()
	slept := uint32(0)
	for {
		before, taken, err := k.take(l.owned, threadMask, slept)
		if taken || err != nil {
			return before, err
		}
		v := before
		if v&threadMask == 0 || v&waiters == 0 && !l.word.CompareAndSwap(v, v|waiters) {
			continue
		}
		if err := l.region.sleep(l.word, v|waiters, deadline, nil); err != nil {
			return 0, err
		}
		slept = waiters
	}
}

// passOn is for who is killed when it has been woken up and has not taken the lock yet. As
// long as the lock is pending in the list of the thread that waits, the kernel passes the
// wake-up on to the next one. It returns what ends that.
func passOn(node *atomic.Uintptr) (end func()) {
	runtime.LockOSThread()
	var before, size uintptr // a program with C in it has a list for each thread
	_, _, errno := unix.RawSyscall(unix.SYS_GET_ROBUST_LIST, 0, uintptr(unsafe.Pointer(&before)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		runtime.UnlockOSThread()
		return func() {}
	}
	head := &robustHead{offset: nodeToWord}
	head.next.Store(uintptr(unsafe.Pointer(&head.next)))
	head.pending.Store(uintptr(unsafe.Pointer(node)))
	unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(*head), 0)
	return func() {
		unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, before, unsafe.Sizeof(*head), 0)
		runtime.KeepAlive(head)
		runtime.UnlockOSThread()
	}
}

// told says what the last owner has left.
func (l *Lock) told(before uint32) error {
	switch state := l.state.Load(); {
	case state == notRecoverable:
		if err := theKeeper().give(l.owned, 0); err != nil {
			return err
		}
		return ErrNotRecoverable
	case state != consistent || before&ownerDied != 0:
		l.state.Store(halfDone)
		return ErrOwnerDied
	}
	return nil
}

func (l *Lock) Consistent() (err error) {
	defer l.region.guard(&err, debug.SetPanicOnFault(true))
	if l.region.closed.Load() {
		return os.ErrClosed
	}
	k := theKeeper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.find(l.owned) < 0 || !l.state.CompareAndSwap(halfDone, consistent) {
		return unix.EINVAL
	}
	return nil
}

func (l *Lock) Unlock() (err error) {
	defer l.region.guard(&err, debug.SetPanicOnFault(true))
	if l.region.closed.Load() {
		return os.ErrClosed
	}
	if l.state.Load() == halfDone && l.isMine() {
		l.state.Store(notRecoverable)
	}
	return theKeeper().give(l.owned, 0)
}

// isMine says whether this process holds it.
func (l *Lock) isMine() bool {
	k := theKeeper()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(l.owned) >= 0
}
