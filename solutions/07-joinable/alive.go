package joinable

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// alive is a word in the memory that says whether the maker lives, so that a Put need not ask
// the kernel. It is a robust futex (get_robust_list(2)): the kernel goes through the list of a
// thread that ends, and takes its number out of each word there. It does so before the process
// counts as ended.
//
// A goroutine moves from thread to thread. So one thread owns the word, and does nothing else.
type alive struct {
	stop  chan struct{}
	ended chan struct{}
}

// robustList is struct robust_list_head of linux/futex.h, and its only node.
type robustList struct {
	first   unsafe.Pointer // the node, or the head itself
	offset  uintptr        // from a node to its word
	pending unsafe.Pointer
	node    unsafe.Pointer // the next one: the head again
}

// threadOf is the part of the word with the thread's number. The kernel sets it to 0 when the thread has
// ended.
const threadOf = 0x3fffffff // FUTEX_TID_MASK

// own begins to own the word. Where that is not possible others look at the pidfd.
func own(word *atomic.Uint32) *alive {
	a := &alive{stop: make(chan struct{}), ended: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(a.ended)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		list := &robustList{}
		list.first, list.node = unsafe.Pointer(&list.node), unsafe.Pointer(list)
		list.offset = uintptr(unsafe.Pointer(word)) - uintptr(unsafe.Pointer(&list.node))
		size := unsafe.Sizeof(*list) - unsafe.Sizeof(list.node)
		_, _, errno := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(list)), size, 0)
		if errno == 0 {
			word.Store(uint32(unix.Gettid()))
		}
		close(ready)
		<-a.stop
		// The memory of the word is about to go, and that of the list is the collector's.
		_, _, _ = unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, 0, size, 0)
		runtime.KeepAlive(list)
	}()
	<-ready
	return a
}

// leave ends that. Nil has not begun.
func (a *alive) leave() {
	if a != nil {
		close(a.stop)
		<-a.ended
	}
}

// makerLives says that the maker lives. It may live all the same if that is false.
func (m *memory) makerLives() bool { return m.alive.Load()&threadOf != 0 }
