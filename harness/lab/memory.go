package lab

import "runtime"

// Allocated returns how many bytes f allocated, whether or not they are free
// again. What the test's other goroutines allocate meanwhile counts too: there
// are none that matter while a test waits in f.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
