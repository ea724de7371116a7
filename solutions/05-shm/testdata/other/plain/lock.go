package shm

import (
	"os"
	"sync/atomic"
	"time"

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
	r.using.RLock()
	defer r.done(&err, r.begun())
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
	r.using.RLock()
	defer r.done(&err, r.begun())
	if err := r.object("lock", offset, LockSize); err != nil {
		return nil, err
	}
	if err := r.is(kindLock, "lock", offset); err != nil {
		return nil, err
	}
	return lockAt(r, offset), nil
}

func (l *Lock) TryLock() (err error) {
	l.region.using.RLock()
	defer l.region.done(&err, l.region.begun())
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
	l.region.using.RLock()
	defer l.region.done(&err, l.region.begun())
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
	l.region.using.RLock()
	defer l.region.done(&err, l.region.begun())
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
	l.region.using.RLock()
	defer l.region.done(&err, l.region.begun())
	if l.region.closed.Load() {
		return os.ErrClosed
	}
	if l.state.Load() == halfDone && l.isMine() {
		l.state.Store(notRecoverable)
	}
	return theKeeper().give(l.owned, 0) // to wake one is not enough: it may be killed before it looks
}

// isMine says whether this process holds it.
func (l *Lock) isMine() bool {
	k := theKeeper()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(l.owned) >= 0
}
