package lab

import (
	"runtime"
	"sync"
)

// onLastingThread calls a function that starts a process, on a thread that ends with this
// process. A process that is to end with its parent (PR_SET_PDEATHSIG, prctl(2)) ends with the
// thread that has started it. A test may end a thread: a goroutine that has locked its own ends it.
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
