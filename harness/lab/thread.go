package lab

import (
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// onLastingThread calls a function that starts a process, on a thread that ends with this
// process. A process that is to end with its parent (PR_SET_PDEATHSIG, prctl(2)) ends with the
// thread that has started it. A test may end a thread: see [OnEndingThread].
func onLastingThread(start func() error) error {
	result := make(chan error)
	lastingThread() <- func() { result <- start() }
	return <-result
}

var lastingThread = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

// OnEndingThread calls a function on a thread that ends then, and returns when the thread is gone.
// What belongs to a thread and not to its process is gone with it: a list of robust futexes
// (get_robust_list(2)), the children that have asked for a signal at the end of their parent
// (PR_SET_PDEATHSIG, prctl(2)). It is no place for what may end the test, as require does.
func OnEndingThread(f func()) {
	thread, done := 0, make(chan struct{})
	var run func()
	run = func() {
		runtime.LockOSThread() // and it is not unlocked: so the runtime ends the thread
		if thread = unix.Gettid(); thread == os.Getpid() {
			go run() // the first thread of a process does not end
			select {}
		}
		defer close(done)
		f()
	}
	go run()
	<-done
	for {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread)); err != nil {
			return
		}
		runtime.Gosched()
	}
}
