package shm

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A kernel that ends a thread goes through its list of robust futexes (get_robust_list(2)).
// In each word there that has the thread's number it sets FUTEX_OWNER_DIED, and wakes one who
// waits. The list belongs to a thread, and a goroutine moves from thread to thread. So one
// thread of this process does nothing but own: it lives as long as the process, and its number
// is in every word that the process has.

// robustHead is struct robust_list_head of linux/futex.h.
type robustHead struct {
	next    atomic.Uintptr // the first node, or the head itself
	offset  int            // from a node to its word
	pending atomic.Uintptr // the node of a word that is just being taken or given back
}

// nodeToWord is the same for locks and for the ends of rings: the node stands behind the word.
const nodeToWord = -8

// owned is a word with this process's thread in it, and its node in the list. A node is a
// pointer in shared memory. Only the kernel follows it, at the end of this process. What
// is linked to what this process knows by itself: somebody else may have written there.
type owned struct {
	region *Region
	word   *atomic.Uint32
	node   *atomic.Uintptr
}

type keeper struct {
	mu     sync.Mutex
	head   *robustHead
	thread uint32
	err    error
	list   []owned // the last one is the list's first
}

// theKeeper starts the thread that owns.
var theKeeper = sync.OnceValue(func() *keeper {
	k := &keeper{}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		k.head, k.err = registered()
		k.thread = uint32(unix.Gettid())
		close(ready)
		select {}
	}()
	<-ready
	return k
})

// registered makes the list of this thread, in memory that the collector does not know.
func registered() (*robustHead, error) {
	memory, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	head := (*robustHead)(unsafe.Pointer(&memory[0]))
	head.offset = nodeToWord
	head.next.Store(uintptr(unsafe.Pointer(&head.next)))
	if _, _, errno := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(*head), 0); errno != 0 {
		return nil, os.NewSyscallError("set_robust_list", errno)
	}
	return head, nil
}

// take puts this process into a word, unless that has one of the bits in not, and returns
// what was there. If it is killed in between the pending node leads the kernel to the word.
func (k *keeper) take(o owned, not, also uint32) (before uint32, taken bool, err error) {
	if k.err != nil {
		return 0, false, k.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.head.pending.Store(uintptr(unsafe.Pointer(o.node)))
	defer k.head.pending.Store(0)
	before = o.word.Load()
	if before&not != 0 || !o.word.CompareAndSwap(before, k.thread|before&waiters|also) {
		return before, false, nil
	}
	o.node.Store(k.head.next.Load())
	k.head.next.Store(uintptr(unsafe.Pointer(o.node)))
	k.list = append(k.list, o)
	return before, true, nil
}

// give takes the process out of a word, and wakes all who wait for that: in one call, so that
// who is killed meanwhile has done both or neither.
func (k *keeper) give(o owned, after uint32) error {
	if k.err != nil {
		return k.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.find(o)
	if i < 0 {
		o.word.Load() // a fault, if its file was cut
		return fmt.Errorf("this process does not hold it: %w", unix.EPERM)
	}
	k.head.pending.Store(uintptr(unsafe.Pointer(o.node)))
	defer k.head.pending.Store(0)
	k.unlink(i)
	for before := o.word.Load(); before&waiters == 0; before = o.word.Load() {
		if o.word.CompareAndSwap(before, after) {
			return nil
		}
	}
	futexSetAndWake(o.word, after)
	return nil
}

// find looks at the last one first: locks are given back in the opposite order, mostly.
func (k *keeper) find(o owned) int {
	for i := len(k.list) - 1; i >= 0; i-- {
		if k.list[i] == o {
			return i
		}
	}
	return -1
}

func (k *keeper) unlink(i int) {
	next := uintptr(unsafe.Pointer(&k.head.next))
	if i > 0 {
		next = uintptr(unsafe.Pointer(k.list[i-1].node))
	}
	k.list = slices.Delete(k.list, i, i+1)
	for i < len(k.list) && !linked(k.list[i].node, next) {
		k.list = slices.Delete(k.list, i, i+1) // its file was cut: the kernel cannot go on there
	}
	if i == len(k.list) {
		k.head.next.Store(next)
	}
}

func linked(node *atomic.Uintptr, next uintptr) (ok bool) {
	defer func() { ok = recover() == nil }()
	node.Store(next)
	return
}

// dropAll lets what this process holds in a region look as after its death.
func dropAll(r *Region) {
	k := theKeeper()
	for {
		k.mu.Lock()
		i := slices.IndexFunc(k.list, func(o owned) bool { return o.region == r })
		var o owned
		if i >= 0 {
			o = k.list[i]
		}
		k.mu.Unlock()
		if i < 0 {
			return
		}
		_ = k.drop(o) // an error, if its file was cut: it is in no list then, either
	}
}

func (k *keeper) drop(o owned) (err error) {
	o.region.begun()
	defer func() {
		if recover() != nil {
			err = ErrCut
		}
		debug.SetPanicOnFault(false)
	}()
	return k.give(o, ownerDied)
}
